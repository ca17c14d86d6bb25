package dev.tandem.web;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Markdown becomes what it means; everything else that a model writes stays text. */
final class MarkupTest extends PageTest {

  @ParameterizedTest
  @ValueSource(
      strings = {
        "<img src=x onerror=\"window.hit=1\">",
        "<script>window.hit=1</script>",
        "<svg onload=window.hit=1><style>*{display:none}</style>",
        "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
        "# <b onclick=window.hit=1>heading</b>",
        "`<img src=x onerror=window.hit=1>`",
        "```html\"><img src=x onerror=window.hit=1>\n<script>window.hit=1</script>\n```",
        "| <img src=x onerror=window.hit=1> | b |\n| --- | --- |\n| <script>hit=1</script> | d |",
        "- <a href=\"javascript:window.hit=1\">item</a>",
        "&lt;script&gt; &#60;img&#62;",
      })
  void markupStaysText(String text) {
    server.chat(Feed.of(text));
    browser.open(server).send("Show me <b>bold</b>");
    browser.await("the end", () -> browser.isShown("#send"));
    assertEquals("Show me <b>bold</b>", browser.text(".turn.user .text"));
    assertEquals(
        0,
        browser.all(".turn .text :is(img, script, svg, style, iframe, a, b, object, form)").size());
    assertEquals(true, browser.run("return window.hit === undefined"));
    if (!text.startsWith("```")) {
      String shown =
          String.valueOf(
              browser.run("return document.querySelector('.assistant .text').textContent"));
      assertTrue(shown.contains(text.startsWith("&") ? "&lt;script&gt;" : "<"), shown);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[x](javascript:alert)",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,hello)",
        "[x](//example.org)",
        "[x](/v1/models)",
        "[x](https://)",
        "![x](http://)",
        "[x](vbscript:a)",
      })
  void onlyWebAddressesBecomeLinks(String text) {
    assertEquals("", html(text, "a, img"));
  }

  @Test
  void linksTellNothingOfThisPage() {
    assertEquals(
        "<a href=\"https://example.org/a_(b)?c=1&amp;d\" rel=\"noopener noreferrer\""
            + " target=\"_blank\" title=\"https://example.org/a_(b)?c=1&amp;d\">the"
            + " <strong>page</strong></a>",
        html("See [the **page**](https://example.org/a_(b)?c=1&d).", "a"));
    assertEquals("", html("![a picture](https://example.org/a.png)", "img"), "nothing is loaded");
    assertTrue(html("It is at https://example.org/x.", "a").contains("\"https://example.org/x\""));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      quoteCharacter = '^',
      textBlock =
          """
          a **b** c                   ~ <p>a <strong>b</strong> c</p>
          *a **b** c*                 ~ <p><em>a <strong>b</strong> c</em></p>
          ***a***                     ~ <p><strong><em>a</em></strong></p>
          **a *b***                   ~ <p><strong>a <em>b</em></strong></p>
          snake_case_name             ~ <p>snake_case_name</p>
          _a_ and __b__               ~ <p><em>a</em> and <strong>b</strong></p>
          2 * 3 * 4                   ~ <p>2 * 3 * 4</p>
          **unfinished                ~ <p>**unfinished</p>
          \\*a\\*                     ~ <p>*a*</p>
          `a*b*` ``c`d``              ~ <p><code>a*b*</code> <code>c`d</code></p>
          ^# Title #^                   ~ <h3>Title</h3>
          ^#hashtag^                    ~ <p>#hashtag</p>
          """)
  void spans(String text, String expected) {
    assertEquals(expected, html(text, ""));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      quoteCharacter = '^',
      textBlock =
          """
          a;b;;c                      ~ <p>a<br>b</p><p>c</p>
          - a;- b;  - c;- d           ~ <ul><li>a</li><li>b<ul><li>c</li></ul></li><li>d</li></ul>
          3. a;4. b                   ~ <ol start="3"><li>a</li><li>b</li></ol>
          1. a;;   b;2. c             ~ <ol><li><p>a</p><p>b</p></li><li>c</li></ol>
          - a;;text                   ~ <ul><li>a</li></ul><p>text</p>
          > a;> > b                   ~ <blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote>
          a;---;b                     ~ <p>a</p><hr><p>b</p>
          * * *                       ~ <hr>
          ^## a;b^                      ~ <h4>a</h4><p>b</p>
          """)
  void blocks(String text, String expected) {
    assertEquals(expected, html(text.replace(';', '\n'), ""));
  }

  @Test
  void codeIsTakenAsItIs() {
    String text = "```c++\nint a = *b;\n\n  **c**\n```\nafter";
    assertEquals("int a = *b;\n\n  **c**", textOf(text, "pre"));
    assertEquals("c++", textOf(text, "figcaption").replace("Copy", ""));
    assertEquals("after", textOf(text, "p"));
    assertEquals("open\n", textOf("~~~\nopen\n", "pre"), "while it is being written");
  }

  @Test
  void tables() {
    String text = "| a | b |\n|---|--:|\n| 1 \\| 2 | **3** |\n| short |\nafter";
    assertEquals("ab", textOf(text, "thead"));
    assertEquals("1 | 2", textOf(text, "tbody td"));
    assertFalse(html(text, "td.right strong").isEmpty());
  }

  /** However it grows, a text looks as if it had come at once; and blocks that are done stay. */
  @Test
  void growsAsItWouldHaveComeAtOnce() {
    String text =
        "# A\\n\\nSome *text* with `code`.\\n\\n1. one\\n2. two\\n"
            + "   - three\\n\\n```js\\nlet a;\\n```\\n\\n| a | b |\\n| - | - |\\n| 1 | 2 |\\n\\n>"
            + " said\\n\\nThe [end](https://example.org).";
    assertEquals(
        "",
        inPage(
            """
            const text = '%s';
            const grown = document.createElement('div');
            let first;
            for (let i = 1; i <= text.length; i++) {
              show(grown, text.slice(0, i));
              if (i === 10) first = grown.firstChild;
              const whole = document.createElement('div');
              show(whole, text.slice(0, i));
              if (whole.outerHTML !== grown.outerHTML) return i + ': ' + grown.outerHTML;
            }
            return grown.firstChild === first ? '' : 'the heading was made anew';
            """
                .formatted(text)));
  }

  /** Any text ends up whole, in allowed elements only, and soon. */
  @Test
  void anyTextIsShownSoonAndSafely() {
    assertEquals(
        "",
        inPage(
            """
            const allowed = new Set('P BR STRONG EM DEL CODE PRE FIGURE FIGCAPTION BUTTON UL OL LI BLOCKQUOTE HR H3 H4 H5 H6 A DIV TABLE THEAD TBODY TR TH TD'.split(' '));
            const parts = ['*', '**', '_', '`', '```', '~~', '[', '](', ')', '!', '|', '-', '>', '#', '1.', ' ', '  ', '\\n', '\\n\\n', '\\\\', '<b>', 'a', 'é😀', 'https://e.org', ':-'];
            let seed = 42;
            const below = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
            for (let round = 0; round < 3000; round++) {
              const text = Array.from({ length: below(60) }, () => parts[below(parts.length)]).join('');
              const node = document.createElement('div');
              show(node, text);
              for (const each of node.querySelectorAll('*')) if (!allowed.has(each.tagName)) return JSON.stringify(text) + ' gave ' + each.tagName;
              const letters = (given) => (given.match(/[aé]/g) ?? []).length;
              if (letters(node.textContent.replaceAll('Copy', '').replaceAll('text', '')) > letters(text)) return JSON.stringify(text) + ' grew';
            }
            const start = performance.now();
            for (const part of ['*a ', '**', '[', '[a](', '`a', '``', '> ', '- ', '|', '|-', '_a', '~~', '![', '#', '1. ', '\\\\', 'h', '*a **b ']) {
              show(document.createElement('div'), part.repeat(20000));
            }
            for (const [part, end] of [['~', '`'], ['a', '`'], [' ', 'x|-'], ['.', 'a'], ['http://[', '']]) {
              for (const begin of ['', '```', '|-', 'https://a']) {
                show(document.createElement('div'), 'a|b\\n' + begin + part.repeat(40000) + end);
              }
            }
            const taken = performance.now() - start;
            return taken < 20000 ? '' : taken + ' ms';
            """));
  }

  /** The guard itself: what the page never does would be refused, and noticed by these tests. */
  @Test
  void policyForbidsWhatThePageNeverDoes() {
    browser.open(server);
    String refused =
        String.valueOf(
            browser.run(
                """
                try { document.body.insertAdjacentHTML('beforeend', '<b>x</b>'); } catch (error) { return error.name; }
                return '';
                """));
    assertEquals("TypeError", refused, "no text becomes markup, in no script");
    browser.run(
        """
        const script = document.createElement('style');
        script.textContent = 'body { display: none }';
        document.head.append(script);
        """);
    assertTrue(browser.isShown("header"));
    assertTrue(
        browser.log().stream().anyMatch(line -> line.contains("Content Security Policy")),
        "violations are logged");
  }

  /** The HTML of what `css` finds in the shown text, or all of it for "". */
  private String html(String text, String css) {
    return String.valueOf(
        inPage(
            """
            const node = document.createElement('div');
            show(node, %s);
            const css = '%s';
            return css ? Array.from(node.querySelectorAll(css), (each) => each.outerHTML).join('') : node.innerHTML;
            """
                .formatted(Feed.json(text), css)));
  }

  private String textOf(String text, String css) {
    return String.valueOf(
        inPage(
            "const node = document.createElement('div'); show(node, %s); return node.querySelector('%s').textContent;"
                .formatted(Feed.json(text), css)));
  }

  private Object inPage(String body) {
    if (!String.valueOf(browser.driver().getCurrentUrl()).equals(server.url())) {
      browser.open(server);
    }
    return browser
        .driver()
        .executeAsyncScript(
            """
            const done = arguments[arguments.length - 1];
            import('/assets/markdown.js').then(({ show }) => {
              const body = () => { %s };
              done(body());
            }).catch((error) => done(String(error)));
            """
                .formatted(body));
  }
}
