package dev.tandem.cli;

import java.util.ArrayList;
import java.util.List;

/** Rows of text whose columns line up. */
final class Table {

  /** On which side a column's texts line up. */
  enum Align {
    LEFT,
    RIGHT
  }

  /**
   * A column with a title.
   *
   * @param align of the title too
   */
  record Column(String title, Align align) {
    static Column left(String title) {
      return new Column(title, Align.LEFT);
    }

    static Column right(String title) {
      return new Column(title, Align.RIGHT);
    }
  }

  /** The cell of a value that there is not. */
  static final String NOTHING = "-";

  private final List<Align> aligns;
  private final List<List<String>> rows = new ArrayList<>();

  Table(Align... aligns) {
    this.aligns = List.of(aligns);
  }

  /** Its first row has the titles. */
  Table(List<Column> columns) {
    aligns = columns.stream().map(Column::align).toList();
    rows.add(columns.stream().map(Column::title).toList());
  }

  void row(String... cells) {
    if (cells.length != aligns.size()) {
      throw new IllegalArgumentException(cells.length + " cells in " + aligns.size() + " columns");
    }
    rows.add(List.of(cells));
  }

  /** All rows, each ended by a line feed, with two spaces between columns. */
  @Override
  public String toString() {
    int[] widths = new int[aligns.size()];
    for (List<String> row : rows) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], width(row.get(i)));
      }
    }
    StringBuilder text = new StringBuilder();
    for (List<String> row : rows) {
      StringBuilder line = new StringBuilder();
      for (int i = 0; i < widths.length; i++) {
        String padding = " ".repeat(widths[i] - width(row.get(i)));
        line.append(i == 0 ? "" : "  ");
        line.append(aligns.get(i) == Align.LEFT ? row.get(i) + padding : padding + row.get(i));
      }
      text.append(line.toString().stripTrailing()).append('\n');
    }
    return text.toString();
  }

  private static int width(String cell) {
    return cell.codePointCount(0, cell.length());
  }
}
