/**
 * Chat templates: conversations as prompts.
 *
 * <p>{@link dev.tandem.text.chat.ChatTemplate} is what others use. Inside, Jinjava finds a
 * template's tags; what they and its expressions mean, and which values there are, is written down
 * here. Contents are marked, character by character, while a template runs, so that they can be
 * told from the template in what it prints.
 */
package dev.tandem.text.chat;
