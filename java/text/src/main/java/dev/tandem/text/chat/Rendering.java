package dev.tandem.text.chat;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.tree.Node;
import com.hubspot.jinjava.tree.parse.Token;
import java.time.LocalDateTime;
import java.util.List;
import java.util.function.Supplier;

/**
 * One rendering of a template: its variables, what it may still do, and where it is. Jinjava's
 * nodes take it for an interpreter; of Jinjava's own it has neither variables nor expressions.
 */
final class Rendering extends JinjavaInterpreter {
  /** Where a loop goes on. */
  enum Jump {
    NONE,
    CONTINUE,
    BREAK
  }

  private final ParsedTemplate template;
  private final Budget budget;
  private final LocalDateTime now;
  private final MarkedText text;
  private final Operators operators;
  private final Printer printer;
  private final TextFormat format;
  private final Evaluator evaluator;
  private Scope scope = Scope.root();
  private Token place = Place.START;
  private Jump jump = Jump.NONE;
  private int loops;

  Rendering(
      Jinjava engine,
      ParsedTemplate template,
      Budget budget,
      ContentAlphabet alphabet,
      LocalDateTime now) {
    super(engine, new Context(engine.getGlobalContext()), engine.getGlobalConfig());
    this.template = template;
    this.budget = budget;
    this.now = now;
    text = new MarkedText(alphabet, budget);
    operators = new Operators(text, budget);
    printer = new Printer(text, budget);
    format = new TextFormat(text, operators, printer);
    evaluator = new Evaluator(this);
    Globals.define(this, scope);
  }

  Budget budget() {
    return budget;
  }

  MarkedText text() {
    return text;
  }

  Operators operators() {
    return operators;
  }

  Printer printer() {
    return printer;
  }

  TextFormat format() {
    return format;
  }

  Evaluator evaluator() {
    return evaluator;
  }

  LocalDateTime now() {
    return now;
  }

  String printed(Object value) {
    return printer.printed(value);
  }

  boolean isTrue(Expression condition) {
    return Operators.isTrue(evaluator.evaluate(condition));
  }

  // ---- where it is ----

  /** Says what is rendered now. */
  void at(Token token) {
    place = token;
  }

  /** What is rendered now. */
  Token place() {
    return place;
  }

  /** What was read of a tag or an expression. */
  Object head(Token token) {
    return template.heads().get(token);
  }

  // ---- variables ----

  Scope scope() {
    return scope;
  }

  /** Does something in another scope. */
  <T> T within(Scope inside, Supplier<T> action) {
    Scope outside = scope;
    scope = inside;
    T result = action.get();
    scope = outside;
    return result;
  }

  // ---- output ----

  /** What nodes print, up to a jump. */
  String block(List<Node> nodes) {
    budget.enter(4);
    StringBuilder out = new StringBuilder();
    for (Node node : nodes) {
      budget.pay(1);
      String part = node.render(this).getValue();
      budget.payText(part.length());
      out.append(part);
      budget.requireText(out.length());
      if (jump != Jump.NONE) {
        break;
      }
    }
    budget.leave(4);
    return out.toString();
  }

  // ---- loops ----

  /** What the body of a loop prints. */
  String iteration(List<Node> body) {
    loops++;
    String printed = block(body);
    loops--;
    return printed;
  }

  /** Goes to the end of the innermost loop's body, or behind the loop. */
  void jump(Jump to) {
    if (loops == 0) {
      throw new TemplateFault("'break' or 'continue' stands outside of a loop");
    }
    jump = to;
  }

  /** Ends a jump; returns whether it leaves the loop. */
  boolean isLoopLeft() {
    boolean left = jump == Jump.BREAK;
    jump = Jump.NONE;
    return left;
  }

  /** Does something in which jumps do not reach the loops around. */
  <T> T outsideOfLoops(Supplier<T> action) {
    int around = loops;
    loops = 0;
    T result = action.get();
    loops = around;
    return result;
  }
}
