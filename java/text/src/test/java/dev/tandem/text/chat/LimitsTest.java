package dev.tandem.text.chat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Templates that would not end, or take all memory, end with an error that says so. */
class LimitsTest {
  private static String problem(String template) {
    return assertTimeoutPreemptively(
        Duration.ofSeconds(60),
        () ->
            assertThrows(
                    ChatTemplateException.class,
                    () -> Templates.printed(template),
                    () -> template.substring(0, Math.min(100, template.length())))
                .getMessage());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ 'x' * 10**9 }}",
        "{{ 'x' * 9223372036854775807 }}",
        "{{ 'abc' * 10**18 }}",
        "{{ 'x'.center(10**9) }}",
        "{{ 'x' | center(2000000000) }}",
        "{{ 'x'.ljust(2000000000) }}{{ 'x'.zfill(2000000000) }}",
        "{{ '%09999d' % 1 }}",
        "{{ '%.9999f' % 1 }}",
        "{{ 'x' | indent(2000000000, true) }}",
        "{{ [1] | tojson(indent=2000000000) }}",
        "{{ [[[[[1]]]]] | tojson(indent='x' * 1000000) }}",
        "{{ ('x' * 100000) | replace('x', 'y' * 100000) }}",
        "{{ ('x' * 100000).replace('', 'y' * 100000) }}",
        "{{ ('y' * 100000).join(range(100000) | map('string')) }}",
        "{{ '{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}'.format('x' * 1000000) }}",
        "{{ ('{0}' * 5000).format('x' * 100000) }}",
        "{% set n = namespace(x='x') %}{% for i in range(100) %}{% set n.x = n.x ~ n.x %}{% endfor"
            + " %}",
        "{% set n = namespace(x='x') %}{% for i in range(100) %}{% set n.x %}{{ n.x }}{{ n.x }}{%"
            + " endset %}{% endfor %}",
        "{% macro m(x) %}{{ x }}{{ x }}{% endmacro %}{% set n = namespace(x='x') %}"
            + "{% for i in range(100) %}{% set n.x = m(n.x) %}{% endfor %}",
        "{% for i in range(100000) %}{% for j in range(100000) %}0123456789{% endfor %}{% endfor"
            + " %}",
        "{{ [['x' * 100000] * 1000] }}"
      })
  void textsHaveALimit(String template) {
    String problem = problem(template);
    assertTrue(
        problem.contains("too long") || problem.contains("more work") || problem.contains("width"),
        problem);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ range(10**9) }}",
        "{{ range(10**18) | list | length }}",
        "{{ range(0 - 10**18, 10**18) }}",
        "{{ range(0, 0 - 10**12, -1) }}",
        "{{ [1] * 10**9 }}",
        "{{ (1, 2) * 10**18 }}",
        "{{ ('x' * 1000000) | list }}",
        "{{ ('x,' * 1000000).split(',') }}",
        "{{ ('x ' * 1000000).split() }}",
        "{{ ('x\\n' * 1000000).splitlines() }}",
        "{% set n = namespace(x=[1]) %}{% for i in range(100) %}{% set n.x = n.x + n.x %}{% endfor"
            + " %}",
        "{% set l = [1] %}{% for i in range(100) %}{% set _ = l.extend(l) %}{% endfor %}",
        "{% set d = {} %}{% for i in range(100) %}{% for j in range(10000) %}"
            + "{% set _ = d.update({i * 10000 + j: 1}) %}{% endfor %}{% endfor %}"
      })
  void listsHaveALimit(String template) {
    String problem = problem(template);
    assertTrue(problem.contains("too long") || problem.contains("more work"), problem);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% for i in range(100000) %}{% for j in range(100000) if false %}{% endfor %}{% endfor %}",
        "{% for i in range(100000) %}{{ range(100000) | sum }}{% endfor %}",
        "{% for i in range(100000) %}{% set x = range(100000) | sort | reverse | list %}{% endfor"
            + " %}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60)"
            + " }}",
        "{% set x = 'a' * 1000000 %}{% for i in range(100000) %}{% set y = x.find('b') %}{% endfor"
            + " %}",
        "{% set x = 'a' * 1000000 %}{{ x.count('a' * 500000 ~ 'b') }}{{ x.find('a' * 500000 ~ 'b')"
            + " }}{% for i in range(1000) %}{{ x == x ~ 'b' }}{% endfor %}",
        "{% set l = [1] * 100000 %}{% for i in range(100000) %}{% if 2 in l %}{% endif %}{% endfor"
            + " %}",
        "{% set l = [] %}{% for i in range(20) %}{% set _ = l.append(l[:]) %}{% endfor %}"
            + "{% for i in range(100) %}{{ l == l[:] }}{% endfor %}{{ l }}"
      })
  void workHasALimit(String template) {
    String problem = problem(template);
    // On a busy machine the time is up before the work is.
    assertTrue(problem.matches(".*(more work|too long|takes longer).*"), problem);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m(x) %}{{ m(m) }}{% endmacro %}{{ m(m) }}",
        "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% macro m() %}{% if true %}{% for i in [1] %}{% filter upper %}{{ m() }}{% endfilter %}"
            + "{% endfor %}{% endif %}{% endmacro %}{{ m() }}",
        "{% macro m() %}{% call m() %}{% endcall %}{% endmacro %}{{ m() }}",
        "{% macro m() %}{{ caller() }}{% endmacro %}{% macro n() %}{% call m() %}{{ n() }}{%"
            + " endcall %}{% endmacro %}{{ n() }}",
        "{% macro m(x=m()) %}{% endmacro %}{{ m() }}",
        "{% for i in [[1]] recursive %}{{ loop([i]) }}{% endfor %}",
        "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}",
        "{% set l = [] %}{% set _ = l.append(l) %}{{ l | tojson }}",
        "{% set d = {} %}{% set _ = d.update({'d': d}) %}{{ d | tojson(indent=2) }}",
        "{% set d = {} %}{% set _ = d.update({'d': d}) %}{{ d }}",
        "{% set a = [] %}{% set _ = a.append(a) %}{% set b = [] %}{% set _ = b.append(b) %}{{ a =="
            + " b }}",
        "{% set a = [] %}{% set _ = a.append(a) %}{% set b = [] %}{% set _ = b.append(b) %}{{ a < b"
            + " }}",
        "{% set a = [] %}{% set _ = a.append(a) %}{% set b = [] %}{% set _ = b.append(b) %}{{ a in"
            + " [b] }}",
        "{% set n = namespace(l=[]) %}{% for i in range(5000) %}{% set n.l = [n.l] %}{% endfor %}{{"
            + " n.l }}",
        "{% set n = namespace(l=()) %}{% for i in range(5000) %}{% set n.l = (n.l,) %}{% endfor %}"
            + "{{ {n.l: 1} }}",
      })
  void depthHasALimit(String template) {
    assertTrue(
        problem(template).endsWith("tags, macros or expressions are nested too deep"),
        problem(template));
  }

  /** With the smallest stack that a thread is likely to have, too. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% macro m() %}{% if true %}{% for i in [1] %}{% filter upper %}{{ m() }}{% endfilter %}"
            + "{% endfor %}{% endif %}{% endmacro %}{{ m() }}",
        "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}"
      })
  void depthIsLimitedBeforeTheStackIs(String template) throws InterruptedException {
    AtomicReference<Throwable> problem = new AtomicReference<>();
    Thread thread =
        new Thread(
            null,
            () -> {
              try {
                Templates.printed(template);
              } catch (ChatTemplateException | StackOverflowError e) {
                problem.set(e);
              }
            },
            "small",
            512 << 10);
    thread.start();
    thread.join();
    assertTrue(
        problem.get() instanceof ChatTemplateException e && !e.getMessage().contains("stack"),
        String.valueOf(problem.get()));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"(", "[", "{'a':", "-", "not ", "x[", "f(", "x if y else ", "(1,(", "x|default("})
  void expressionsThatAreNestedTooDeepAreNotRead(String begin) {
    for (int depth : new int[] {150, 20_000}) {
      String problem = problem("{{ " + begin.repeat(depth) + " }}");
      assertFalse(problem.contains("internal"), problem);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "1+",
        "x~",
        "x.a.",
        "1 < ",
        "x and ",
        "x or ",
        "x|upper|",
        "1*",
        "x[0].",
        "x is y is "
      })
  void longChainsAreReadAndEndInAnErrorAtMost(String link) {
    String template = "{% set x = {'a': 1} %}{{ " + link.repeat(30_000 / link.length()) + "a }}";
    assertTimeoutPreemptively(
        Duration.ofSeconds(60),
        () -> {
          try {
            Templates.printed(template);
          } catch (ChatTemplateException e) {
            assertFalse(e.getMessage().contains("internal"), e.getMessage());
          }
        });
  }

  @Test
  void tagsThatAreNestedTooDeepAreNotRead() {
    String open = "{% if true %}";
    assertTrue(problem(open.repeat(101) + "{% endif %}".repeat(101)).contains("nested"));
    assertTrue(problem(open.repeat(9000) + "{% endif %}".repeat(9000)).contains("nested"));
    assertEquals("x", Templates.printed(open.repeat(90) + "x" + "{% endif %}".repeat(90)));
  }

  @Test
  void templatesHaveALimitThemselves() {
    assertTrue(problem("x".repeat((1 << 18) + 1)).contains("too many"));
    assertEquals(1 << 18, Templates.printed("x".repeat(1 << 18)).length());
  }

  @Test
  void timeHasALimit() {
    Limits patient = Limits.DEFAULT;
    Limits limits =
        new Limits(
            patient.source(),
            patient.output(),
            patient.elements(),
            Long.MAX_VALUE / 2,
            patient.depth(),
            Duration.ofMillis(50));
    ChatTemplate template =
        ChatTemplate.of(
            "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
            "", "", limits);
    ChatTemplateException e =
        assertTimeoutPreemptively(
            Duration.ofSeconds(30),
            () ->
                assertThrows(
                    ChatTemplateException.class,
                    () -> template.render(List.of(ChatMessage.user("")), Templates.OPTIONS)));
    assertTrue(e.getMessage().contains("longer than 50 ms"), e.getMessage());
  }

  /** Long conversations are no attack: limits grow with them. */
  @Test
  void longConversationsAreRendered() {
    ChatTemplate template = Templates.of(Templates.resource("headers.jinja"));
    String content = "word ".repeat(1 << 20);
    List<ChatMessage> one = List.of(ChatMessage.user(content));
    assertTrue(Templates.text(template.render(one, Templates.OPTIONS)).contains(content.strip()));
    List<ChatMessage> many = new ArrayList<>();
    for (int i = 0; i < 4_000; i++) {
      many.add(i % 2 == 0 ? ChatMessage.user("Question " + i) : ChatMessage.assistant("Answer"));
    }
    for (String name : Templates.ownNames()) {
      ChatTemplate own = Templates.of(Templates.resource(name + ".jinja"));
      assertTrue(
          Templates.text(own.render(many, Templates.OPTIONS)).contains("Question 3998"), name);
    }
  }
}
