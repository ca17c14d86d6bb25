package dev.tandem.text.chat;

import com.hubspot.jinjava.tree.Node;
import com.hubspot.jinjava.tree.TagNode;
import java.util.ArrayList;
import java.util.List;

/**
 * A part of what is in {@code if} or {@code for}.
 *
 * @param begin the tag that begins it
 */
record Section(Kind kind, Node begin, List<Node> body) {
  /** What begins a part. */
  enum Kind {
    FIRST,
    ELIF,
    ELSE
  }

  /** The parts of a tag, in order; the first may be empty. */
  static List<Section> of(TagNode node) {
    List<Section> sections = new ArrayList<>();
    sections.add(new Section(Kind.FIRST, node, new ArrayList<>()));
    for (Node child : node.getChildren()) {
      if (child instanceof TagNode tag && tag.getTag() instanceof SectionTag section) {
        if (sections.getLast().kind() == Kind.ELSE) {
          throw new TemplateFault("'" + section.getName() + "' stands behind 'else'");
        }
        sections.add(new Section(section.kind(), child, new ArrayList<>()));
      } else {
        sections.getLast().body().add(child);
      }
    }
    return sections;
  }
}
