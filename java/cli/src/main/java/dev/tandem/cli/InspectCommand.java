package dev.tandem.cli;

import static dev.tandem.cli.Table.Column.left;
import static dev.tandem.cli.Table.Column.right;

import dev.tandem.cli.Table.Align;
import dev.tandem.engine.MemoryNeed;
import dev.tandem.model.family.Families;
import dev.tandem.model.gguf.GgufFile;
import dev.tandem.model.gguf.GgufValue;
import dev.tandem.model.gguf.ModelFormatException;
import dev.tandem.model.gguf.TensorInfo;
import dev.tandem.model.graph.Cost;
import dev.tandem.model.graph.Operator;
import dev.tandem.model.graph.OperatorGraph;
import dev.tandem.model.graph.Workload;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tandem inspect}: what is in a model file, and what its operators cost. */
@Command(
    name = "inspect",
    customSynopsis = "tandem inspect [OPTIONS]",
    description = {
      "Shows what is in a model file.",
      "",
      "Metadata, tensors, and the operators with what a step costs. Reads the file's header only."
    },
    footer = {
      "",
      "Examples:",
      "  tandem inspect -m model.gguf",
      "  tandem inspect -m model.gguf --tokens 512 --context 512 --json"
    })
final class InspectCommand implements Callable<Integer> {

  private static final int LONGEST_VALUE = 100;
  private static final int MOST_ELEMENTS = 64;
  private static final int MOST_NAMES = 8;

  private final Streams streams;
  @Mixin private ModelOptions model;

  @Option(
      names = "--tokens",
      paramLabel = "N",
      description =
          "Cost of a step that reads N tokens of one sequence. Default: ${DEFAULT-VALUE}.",
      defaultValue = "1")
  private int tokens;

  @Option(
      names = "--context",
      paramLabel = "N",
      description =
          "Length of the sequence after the step. Default: ${DEFAULT-VALUE}, or --tokens.",
      defaultValue = "512")
  private int context;

  @Option(names = "--json", description = "Print a JSON document.")
  private boolean json;

  InspectCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    if (tokens < 1) {
      throw Failure.value("--tokens", tokens, "at least 1 token");
    }
    if (context < 1) {
      throw Failure.value("--context", context, "at least 1 token");
    }
    GgufFile file = GgufFile.open(model.file());
    Workload workload = Workload.prefill(tokens, Math.max(0, context - tokens));
    Optional<OperatorGraph> graph = Optional.empty();
    String obstacle = "this file holds no tensors";
    if (!file.tensors().isEmpty()) {
      try {
        graph = Optional.of(Families.of(file).graph(file));
      } catch (ModelFormatException e) {
        obstacle = e.getMessage();
      }
    }
    if (json) {
      streams.print(Json.text(document(file, graph, workload)));
    } else {
      print(file, graph, workload, obstacle);
    }
    return 0;
  }

  /** Tensors that no operator reads: the family does not know them, or does not need them. */
  private static List<String> unused(GgufFile file, OperatorGraph graph) {
    Set<String> names = new LinkedHashSet<>(file.tensors().keySet());
    graph.weights().forEach(weight -> names.remove(weight.name()));
    return List.copyOf(names);
  }

  // ---- for people ----

  private void print(
      GgufFile file, Optional<OperatorGraph> graph, Workload workload, String obstacle) {
    streams.println(
        "%s: GGUF version %d, %s%s"
            .formatted(
                file.parts().getFirst(),
                file.version(),
                MemoryNeed.text(file.bytes()),
                file.parts().size() > 1 ? " in " + file.parts().size() + " parts" : ""));
    streams.print("\nMETADATA\n" + metadata(file));
    if (!file.tensors().isEmpty()) {
      streams.print("\nTENSORS (columns x rows)\n" + tensors(file));
    }
    if (graph.isEmpty()) {
      streams.println("\nNo operators: " + Printable.line(obstacle));
      return;
    }
    streams.print(
        "\nOPERATORS, cost of a step of %s, context %d\n"
                .formatted(Quantities.plural(workload.tokens(), "token"), workload.contexts())
            + operators(graph.get(), workload));
    Cost total = graph.get().cost(workload);
    streams.println(
        "\n%s parameters; per step %sFLOP, %s of weights, %s of KV cache; KV cache per token %s"
            .formatted(
                Quantities.count(graph.get().parameters()),
                spaced(Quantities.count(total.flops())),
                MemoryNeed.text((long) total.weightBytes()),
                MemoryNeed.text((long) total.kvBytes()),
                MemoryNeed.text(graph.get().kvBytesPerPosition())));
    List<String> unused = unused(file, graph.get());
    if (!unused.isEmpty()) {
      streams.println("\nunused tensors: " + names(unused));
    }
  }

  private static String names(List<String> names) {
    int more = names.size() - MOST_NAMES;
    return String.join(", ", names.stream().limit(MOST_NAMES).map(Printable::line).toList())
        + (more > 0 ? " and " + more + " more" : "");
  }

  private static String spaced(String count) {
    return count.contains(" ") ? count : count + " ";
  }

  private static Table metadata(GgufFile file) {
    Table table = new Table(Align.LEFT, Align.LEFT);
    file.metadata()
        .asMap()
        .forEach((key, value) ->
            table.row("  " + Printable.line(key), Printable.line(value.toString(), LONGEST_VALUE)));
    return table;
  }

  private static Table tensors(GgufFile file) {
    Table table = new Table(Align.LEFT, Align.LEFT, Align.RIGHT, Align.RIGHT);
    for (TensorInfo tensor : file.tensors().values()) {
      table.row(
          "  " + Printable.line(tensor.name()),
          tensor.type().name(),
          String.join(" x ", tensor.shape().stream().map(Object::toString).toList()),
          MemoryNeed.text(tensor.bytes()));
    }
    return table;
  }

  private static Table operators(OperatorGraph graph, Workload workload) {
    Table table =
        new Table(
            List.of(
                right("  layer"),
                left("operator"),
                left("kind"),
                left("type"),
                right("FLOP"),
                right("weights"),
                right("activations"),
                right("KV")));
    for (Operator operator : graph.operators()) {
      Cost cost = operator.cost(workload);
      table.row(
          operator.layer() == Operator.NO_LAYER ? "" : Integer.toString(operator.layer()),
          operator.name(),
          operator.kind(),
          operator.weights().isEmpty() ? "" : operator.weights().getFirst().type().name(),
          Quantities.count(cost.flops()),
          bytes(cost.weightBytes()),
          bytes(cost.activationBytes()),
          bytes(cost.kvBytes()));
    }
    return table;
  }

  private static String bytes(double bytes) {
    return bytes == 0 ? "" : MemoryNeed.text((long) bytes);
  }

  // ---- for programs ----

  private static Map<String, Object> document(
      GgufFile file, Optional<OperatorGraph> graph, Workload workload) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("files", file.parts().stream().map(Object::toString).toList());
    document.put("version", file.version());
    document.put("bytes", file.bytes());
    Map<String, Object> metadata = new LinkedHashMap<>();
    file.metadata().asMap().forEach((key, value) -> metadata.put(key, plain(value)));
    document.put("metadata", metadata);
    document.put("tensors", file.tensors().values().stream().map(InspectCommand::tensor).toList());
    graph.ifPresent(g -> {
      document.put("parameters", g.parameters());
      document.put("kv_bytes_per_token", g.kvBytesPerPosition());
      document.put("unused_tensors", unused(file, g));
      Map<String, Object> step = new LinkedHashMap<>();
      step.put("tokens", workload.tokens());
      step.put("context", workload.contexts());
      document.put("workload", step);
      document.put("cost", cost(g.cost(workload)));
      List<Object> operators = new ArrayList<>();
      g.operators().forEach(o -> operators.add(operator(o, workload)));
      document.put("operators", operators);
    });
    return document;
  }

  private static Map<String, Object> tensor(TensorInfo tensor) {
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("name", tensor.name());
    entry.put("type", tensor.type().name());
    entry.put("shape", tensor.shape());
    entry.put("part", tensor.part());
    entry.put("offset", tensor.offset());
    entry.put("bytes", tensor.bytes());
    return entry;
  }

  private static Map<String, Object> operator(Operator operator, Workload workload) {
    Map<String, Object> entry = new LinkedHashMap<>();
    if (operator.layer() != Operator.NO_LAYER) {
      entry.put("layer", operator.layer());
    }
    entry.put("name", operator.name());
    entry.put("kind", operator.kind());
    entry.put("weights", operator.weights().stream().map(w -> w.name()).toList());
    entry.put("cost", cost(operator.cost(workload)));
    return entry;
  }

  private static Map<String, Object> cost(Cost cost) {
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("flops", cost.flops());
    entry.put("weight_bytes", cost.weightBytes());
    entry.put("activation_bytes", cost.activationBytes());
    entry.put("kv_bytes", cost.kvBytes());
    return entry;
  }

  /** As JSON has it; long arrays (vocabularies) are told by their length. */
  private static Object plain(GgufValue value) {
    return switch (value) {
      case GgufValue.IntValue v -> v.value();
      case GgufValue.Float32Value v -> v.value();
      case GgufValue.Float64Value v -> v.value();
      case GgufValue.BoolValue v -> v.value();
      case GgufValue.TextValue v -> v.value();
      case GgufValue.ArrayValue v when v.size() > MOST_ELEMENTS -> Map.of("length", v.size());
      case GgufValue.IntArray v -> IntStream.range(0, v.size()).mapToLong(v::get).toArray();
      case GgufValue.Float32Array v -> v.values();
      case GgufValue.Float64Array v -> v.values();
      case GgufValue.BoolArray v -> v.values();
      case GgufValue.TextArray v ->
          IntStream.range(0, v.size()).mapToObj(v.values()::string).toList();
    };
  }
}
