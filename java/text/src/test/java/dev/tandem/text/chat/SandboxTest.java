package dev.tandem.text.chat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Templates that try to get out. The payloads are modelled on those of Jinjava's two escapes and on
 * what works elsewhere; each must end in an error that names the template, or print nothing of what
 * it was after.
 */
class SandboxTest {
  private static final String INTERPRETER = "____int3rpr3t3r____";

  private static ChatTemplateException refused(String template) {
    ChatTemplateException e =
        assertThrows(
            ChatTemplateException.class, () -> Templates.printed(template), () -> template);
    assertTrue(e.getMessage().startsWith("chat template"), e.getMessage());
    assertFalse(e.getMessage().contains("internal error"), e.getMessage());
    return e;
  }

  /** CVE-2025-59340: from the interpreter to the object mapper, and from there to any class. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ INT.config.objectMapper.typeFactory.constructFromCanonical('java.util.Scanner') }}",
        "{{ INT.getConfig().getObjectMapper().enableDefaultTyping() }}",
        "{% set m = INT.config.objectMapper %}{{ m.readValue('{}', m.typeFactory"
            + ".constructFromCanonical('java.net.URL')) }}",
        "{{ INT.config.objectMapper.getTypeFactory().constructFromCanonical("
            + "'javax.script.ScriptEngineManager') }}",
        "{{ INT['config']['objectMapper'] }}",
        "{{ messages[0]['INT'].config }}",
        "{{ 'a'['INT'].getContext() }}",
        "{{ INT.renderFlat('{{ 7*7 }}') }}",
        "{{ INT.getCurrent().getContext().put('a', 1) }}",
        "{% for x in [INT] %}{{ x.config.x }}{% endfor %}",
        "{{ [INT] | map(attribute='config.objectMapper') | list | tojson }}",
        "{{ INT | attr('config') | attr('objectMapper') }}",
        "{{ {'a': INT} | tojson }}",
        "{{ INT.application.expressionFactory }}",
      })
  void theInterpreterIsOutOfReach(String payload) {
    refused(payload.replace("INT", INTERPRETER));
  }

  @Test
  void theInterpretersNameIsANameLikeAnyOther() {
    assertEquals("[]", Templates.printed("[{{ " + INTERPRETER + " }}]"));
    assertEquals("False", Templates.printed("{{ " + INTERPRETER + " is defined }}"));
    assertEquals(
        "1", Templates.printed("{% set NAME = 1 %}{{ NAME }}".replace("NAME", INTERPRETER)));
  }

  /** CVE-2026-25526: a loop with several variables took properties of Java objects. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% for class, bytes in ['a'] %}{{ class }}{% endfor %}",
        "{% for class, empty in [messages] %}{{ class.forName('java.lang.Runtime') }}{% endfor %}",
        "{% for config, context in [INT] %}{{ config }}{% endfor %}",
        "{% for objectMapper, elResolver in [INT.config] %}{{ objectMapper }}{% endfor %}",
        "{% for class, declaringClass in [none] %}{{ class }}{% endfor %}",
        "{% for class, x in [1] %}{{ class }}{% endfor %}",
        "{% for class, x in [namespace()] %}{{ class }}{% endfor %}",
        "{% for class, x in [loop] %}{{ class }}{% endfor %}",
        "{% for k in [range] %}{% for class, x in [k] %}{{ class }}{% endfor %}{% endfor %}",
      })
  void loopsTakeNoPropertiesOfObjects(String payload) {
    refused(payload.replace("INT", INTERPRETER));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "''.getClass()",
        "''.getClass().forName('java.lang.Runtime').getMethod('getRuntime').invoke(none)",
        "''.class.forName('java.lang.Runtime')",
        "''.__class__.__mro__[1].__subclasses__()",
        "''['class']['classLoader']",
        "''['__class__']['__base__']",
        "messages.getClass().getClassLoader()",
        "messages[0].getClass().getProtectionDomain()",
        "messages[0].__init__.__globals__",
        "messages.stream().map('x')",
        "messages.iterator().next()",
        "messages[0].entrySet().iterator()",
        "messages[0].content.getBytes()",
        "messages[0].content.chars()",
        "messages[0].content.intern().wait()",
        "(1).getClass()",
        "(1).real.__class__.x",
        "(1.5).hashCode().x",
        "true.booleanValue().x",
        "none.__class__.x",
        "none.getClass()",
        "range.__globals__.x",
        "range.getClass()",
        "raise_exception.__globals__['os']",
        "namespace().__class__.x",
        "namespace().__init__.__globals__",
        "namespace(x=1).getClass()",
        "dict.__class__.x",
        "cycler.__init__.__globals__.os.popen('id').read()",
        "lipsum.__globals__['os'].popen('id').read()",
        "self.__init__.__globals__",
        "self._TemplateReference__context.cycler",
        "request.application.__globals__",
        "config.items()",
        "''.format.__globals__.x",
        "'{0.__class__.__init__.__globals__}'.format(messages)",
        "'{0.class}'.format(messages)",
        "'{0[__class__]}'.format(messages)",
        "'{a.b}'.format(a=messages)",
        "'%(x.y)s' % {'x': 1}",
        "messages | attr('getClass') | attr('x')",
        "(messages | attr('__class__')).x",
        "messages | map(attribute='class.classLoader.parent') | first",
        "messages | selectattr('class.name', 'equalto', 'x') | list",
        "messages | sort(attribute='class.name')",
        "messages | groupby('class.name')",
        "messages | sum(attribute='class.x')",
        "messages | join(',', attribute='class.name')",
        "messages | map('attr', 'getClass') | map('attr', 'name') | list",
        "['java.lang.Runtime'] | map('class') | list",
        "messages | pprint | fromjson",
        "'x' | render",
        "'{}' | fromjson",
        "'a: b' | fromyaml",
        "'http://127.0.0.1/' | urlize",
        "type(messages).forName('x')",
        "super()",
        "today().getClass()",
        "unixtimestamp()",
        "fn:list(1)",
        "filter:tojson",
        "exptest:defined",
        "messages['filter:tojson'].filter(1)",
        "messages['exptest:defined'].evaluate(1)",
        "loop.getClass()",
        "caller.__globals__.x",
        "open('/etc/passwd')",
        "include('/etc/passwd')",
        "import('os')",
        "eval('1')",
        "exec('1')",
        "messages.append.__self__.x",
        "messages[0].get.__globals__.x"
      })
  void noNameLeadsToJava(String expression) {
    refused("{{ " + expression + " }}");
  }

  @Test
  void theLoopHasNoOtherAttributes() {
    assertEquals(
        "||",
        Templates.printed(
            "{% for x in [1] %}{{ loop.class }}|{{ loop.__class__ }}|{{ loop['recursion'] }}"
                + "{% endfor %}"));
    refused("{% for x in [1] %}{{ loop.class.x }}{% endfor %}");
    refused("{% for x in [1] %}{{ loop.getClass() }}{% endfor %}");
    refused("{% for x in [1] %}{{ loop }}{% endfor %}");
    refused("{% macro m() %}{% endmacro %}{{ m.body }}{{ m.scope.x }}");
    refused("{% macro m() %}{% endmacro %}{{ m }}");
    refused("{% macro m() %}{% endmacro %}{{ [m] | tojson }}");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% include '/etc/passwd' %}",
        "{% import 'x' as x %}",
        "{% from 'x' import y %}",
        "{% extends 'x' %}",
        "{% block b %}{% endblock %}",
        "{% do messages.append(1) %}",
        "{% autoescape %}{% endautoescape %}",
        "{% print 1 %}",
        "{% cycle 'a','b' %}",
        "{% unless x %}{% endunless %}",
        "{% ifchanged x %}{% endifchanged %}",
        "{% if true %}{% include 'x' %}{% endif %}"
      })
  void tagsThatReachOutOrAreNotJinjasAreOff(String template) {
    assertTrue(refused(template).getMessage().contains("switched off"), template);
  }

  @Test
  void contentIsNeverEvaluated() {
    String content = "{{ 7*7 }}{% if true %}x{% endif %}{# c #}${7*7}#{7*7}";
    assertEquals(
        content,
        Templates.text(
            Templates.of("{{ messages[0].content }}")
                .render(List.of(ChatMessage.user(content)), Templates.OPTIONS)));
  }

  /** What a template changes is its own copy. */
  @Test
  void conversationAndVariablesStayAsTheyAre() {
    List<ChatMessage> messages = List.of(ChatMessage.user("x"));
    ChatOptions options = Templates.OPTIONS.with("list", List.of(1)).with("map", Map.of());
    ChatTemplate template =
        Templates.of(
            "{% set _ = messages.append(1) %}{% set _ = messages[0].update({'content': 'y'}) %}"
                + "{% set _ = list.clear() %}{% set _ = map.update({'a': 1}) %}{{ messages }}"
                + "{{ list }}{{ map }}");
    String first = Templates.text(template.render(messages, options));
    assertEquals("[{'role': 'user', 'content': 'y'}, 1][]{'a': 1}", first);
    assertEquals(first, Templates.text(template.render(messages, options)));
  }

  /** The second wall: Jinjava's own expression language finds nothing, if something asks it. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "____int3rpr3t3r____.config",
        "____int3rpr3t3r____.config.objectMapper",
        "____int3rpr3t3r____.getContext()",
        "''.length()",
        "'a'.bytes",
        "[1].size()",
        "{'a': 1}.a",
        "'x'|upper"
      })
  void jinjavasOwnExpressionsResolveNothing(String expression) {
    JinjavaInterpreter interpreter = TemplateEngine.jinjava().newInterpreter();
    try (var current = JinjavaInterpreter.closeablePushCurrent(interpreter).get()) {
      Object value = current.value().resolveELExpression(expression, 1);
      assertTrue(value == null || value instanceof JinjavaInterpreter, expression + ": " + value);
      assertFalse(interpreter.getErrorsCopy().isEmpty(), expression);
    }
  }
}
