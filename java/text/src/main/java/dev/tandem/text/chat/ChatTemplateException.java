package dev.tandem.text.chat;

/**
 * A chat template cannot be used, or not for this conversation. The message, one line, says where
 * in the template and what.
 */
public final class ChatTemplateException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /**
   * A problem with a template.
   *
   * @param message one line
   */
  public ChatTemplateException(String message) {
    super(message);
  }

  ChatTemplateException(String message, Throwable cause) {
    super(message, cause);
  }
}
