package dev.tandem.text.chat;

import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.TextStyle;
import java.time.temporal.ChronoField;
import java.time.temporal.IsoFields;
import java.util.Locale;

/** Dates and times as Python's {@code strftime} writes them in the C locale. */
final class Strftime {
  private static final Locale LOCALE = Locale.ENGLISH;

  private Strftime() {}

  /**
   * Writes a date. What the format itself says keeps its marks.
   *
   * @param format text with directives, {@code %Y-%m-%d}; one that is not known stays as it is
   */
  static String format(LocalDateTime date, String format, MarkedText text) {
    StringBuilder out = new StringBuilder();
    int[] points = text.points(format);
    for (int at = 0; at < points.length; at++) {
      if (text.alphabet().open(points[at]) != '%' || at + 1 == points.length) {
        out.appendCodePoint(points[at]);
        continue;
      }
      int start = at++;
      int directive = text.alphabet().open(points[at]);
      boolean unpadded = directive == '-' && at + 1 < points.length;
      if (unpadded) {
        directive = text.alphabet().open(points[++at]);
      }
      String value = value(date, directive);
      if (value.isEmpty()) {
        for (int i = start; i <= at; i++) {
          out.appendCodePoint(points[i]);
        }
      } else if (directive == '%') {
        out.appendCodePoint(points[at]);
      } else {
        out.append(unpadded ? value.replaceFirst("^[0 ]+(?=.)", "") : value);
      }
    }
    return out.toString();
  }

  private static String value(LocalDateTime date, int directive) {
    return switch (directive) {
      case 'a' -> date.getDayOfWeek().getDisplayName(TextStyle.SHORT, LOCALE);
      case 'A' -> date.getDayOfWeek().getDisplayName(TextStyle.FULL, LOCALE);
      case 'b', 'h' -> month(date, TextStyle.SHORT);
      case 'B' -> month(date, TextStyle.FULL);
      case 'c' -> written(date, "EEE MMM ppd HH:mm:ss yyyy");
      case 'd' -> written(date, "dd");
      case 'D', 'x' -> written(date, "MM/dd/yy");
      case 'e' -> written(date, "ppd");
      case 'f' -> String.format(LOCALE, "%06d", date.get(ChronoField.MICRO_OF_SECOND));
      case 'F' -> written(date, "yyyy-MM-dd");
      case 'G' -> Integer.toString(date.get(IsoFields.WEEK_BASED_YEAR));
      case 'H' -> written(date, "HH");
      case 'I' -> written(date, "hh");
      case 'j' -> written(date, "DDD");
      case 'm' -> written(date, "MM");
      case 'M' -> written(date, "mm");
      case 'p' -> date.getHour() < 12 ? "AM" : "PM";
      case 'R' -> written(date, "HH:mm");
      case 'S' -> written(date, "ss");
      case 'T', 'X' -> written(date, "HH:mm:ss");
      case 'u' -> Integer.toString(date.getDayOfWeek().getValue());
      case 'V' -> String.format(LOCALE, "%02d", date.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR));
      case 'w' -> Integer.toString(date.getDayOfWeek().getValue() % 7);
      case 'y' -> written(date, "yy");
      case 'Y' -> Integer.toString(date.getYear());
      case '%' -> "%";
      default -> "";
    };
  }

  private static String month(LocalDateTime date, TextStyle style) {
    return date.getMonth().getDisplayName(style, LOCALE);
  }

  private static String written(LocalDateTime date, String pattern) {
    return DateTimeFormatter.ofPattern(pattern, LOCALE).format(date);
  }
}
