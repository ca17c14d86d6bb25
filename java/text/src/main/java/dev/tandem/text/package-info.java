/**
 * Text to tokens and back: byte-level BPE and SentencePiece tokenizers built from GGUF metadata.
 *
 * <p>The way of a text: {@link dev.tandem.text.Tokenizer} turns it into UTF-8 and cuts out the
 * special tokens; a pre-tokenizer (patterns as data) splits the rest into words; a merge loop turns
 * each word into tokens. Back again, every token is a byte string of the {@link
 * dev.tandem.text.Vocabulary}, and {@link dev.tandem.text.Utf8Stream} lets only whole characters
 * out.
 */
package dev.tandem.text;
