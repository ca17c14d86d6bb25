package dev.tandem.engine.calibrate;

import dev.tandem.engine.kv.KvCache;
import dev.tandem.model.graph.Rotation;
import dev.tandem.runtime.ElementType;
import dev.tandem.runtime.Layout;
import dev.tandem.runtime.Limit;

/**
 * An operation of a program with all that its time depends on: equal kernels take equal times. What
 * it has to do is told in operations (a multiplication and an addition are two) and in bytes that
 * it reads and writes; how many of those bytes come from memory is the caches' affair.
 */
public sealed interface Kernel {

  /** What it does: {@code matmul}. */
  String name();

  /** Its sizes: {@code 2048 x 512}. */
  String shape();

  /** The format of its weights, or of what it writes where that is encoded; empty = fp32. */
  default String format() {
    return "";
  }

  /** Rows that it computes. */
  int rows();

  /** Operations of one call. */
  double operations();

  /** Bytes of one call. */
  double bytes();

  /** What its arithmetic is measured by. */
  default Limit arithmetic() {
    return Limit.F32;
  }

  private static double f32(double elements) {
    return elements * Float.BYTES;
  }

  /** Rows of a table of token embeddings. */
  record Embedding(ElementType type, Layout layout, int vocabulary, int width, int rows)
      implements Kernel {
    @Override
    public String name() {
      return "embedding";
    }

    @Override
    public String shape() {
      return width + " of " + vocabulary;
    }

    @Override
    public String format() {
      return type.name();
    }

    @Override
    public double operations() {
      return 0;
    }

    @Override
    public double bytes() {
      return rows * (type.bytes(Layout.PLAIN, 1, width) + f32(width));
    }
  }

  /** Root mean square normalisation. */
  record Norm(int width, double epsilon, int rows) implements Kernel {
    @Override
    public String name() {
      return "norm";
    }

    @Override
    public String shape() {
      return Integer.toString(width);
    }

    @Override
    public double operations() {
      return 4.0 * rows * width;
    }

    @Override
    public double bytes() {
      return f32((2.0 * rows + 1) * width);
    }
  }

  /** Encoding of activations for a matmul. */
  record Encode(ElementType to, int width, int rows) implements Kernel {
    @Override
    public String name() {
      return "encode";
    }

    @Override
    public String shape() {
      return Integer.toString(width);
    }

    @Override
    public String format() {
      return to.name();
    }

    @Override
    public double operations() {
      return 2.0 * rows * width;
    }

    @Override
    public double bytes() {
      return f32((double) rows * width) + to.bytes(Layout.PLAIN, rows, width);
    }
  }

  /**
   * A matrix times rows of activations.
   *
   * @param outputs rows of the matrix
   * @param width columns of the matrix
   * @param input the type of the activations
   */
  record MatMul(ElementType type, int outputs, int width, boolean bias, ElementType input, int rows)
      implements Kernel {
    @Override
    public String name() {
      return "matmul";
    }

    @Override
    public String shape() {
      return outputs + " x " + width + (bias ? " + bias" : "");
    }

    @Override
    public String format() {
      return type.name();
    }

    @Override
    public double operations() {
      return 2.0 * rows * outputs * width;
    }

    /** Of the matrix alone. */
    double weightBytes() {
      return type.bytes(Layout.PLAIN, outputs, width);
    }

    @Override
    public double bytes() {
      double biasBytes = bias ? f32(outputs) : 0;
      return weightBytes()
          + biasBytes
          + input.bytes(Layout.PLAIN, rows, width)
          + f32((double) rows * outputs);
    }

    @Override
    public Limit arithmetic() {
      return switch (input) {
        case ACT8 -> Limit.INT8;
        case ACTBF16 -> Limit.BF16;
        default -> Limit.F32;
      };
    }
  }

  /** Cosines and sines of positions. */
  record RopeAngles(Rotation rotation, int rows) implements Kernel {
    @Override
    public String name() {
      return "rope angles";
    }

    @Override
    public String shape() {
      return Integer.toString(rotation.dimensions());
    }

    @Override
    public double operations() {
      return 0;
    }

    @Override
    public double bytes() {
      return f32((double) rows * rotation.dimensions());
    }
  }

  /** Rotation of heads, in place. */
  record Rope(Rotation rotation, int width, int headSize, int rows) implements Kernel {
    @Override
    public String name() {
      return "rope";
    }

    @Override
    public String shape() {
      return width / headSize + " x " + headSize;
    }

    @Override
    public double operations() {
      return 3.0 * rows * width / headSize * rotation.dimensions();
    }

    @Override
    public double bytes() {
      return f32(2.0 * rows * width);
    }
  }

  /** Writing of keys and values to the cache. */
  record StoreKv(int kvHeads, int headSize, StepShape step) implements Kernel {
    @Override
    public String name() {
      return "kv store";
    }

    @Override
    public String shape() {
      return kvHeads + " x " + headSize;
    }

    @Override
    public int rows() {
      return step.tokens();
    }

    @Override
    public double operations() {
      return 0;
    }

    @Override
    public double bytes() {
      double elements = 2.0 * rows() * kvHeads * headSize;
      return f32(elements) + Short.BYTES * elements;
    }
  }

  /** Attention over the cache. */
  record Attention(int heads, int kvHeads, int headSize, double scale, StepShape step)
      implements Kernel {
    @Override
    public String name() {
      return "attention";
    }

    @Override
    public String shape() {
      return "%d/%d x %d".formatted(heads, kvHeads, headSize);
    }

    @Override
    public int rows() {
      return step.tokens();
    }

    @Override
    public double operations() {
      return 4 * step.workload().attended() * heads * headSize;
    }

    /** Of the cache: each position of each sequence once, as f16. */
    double kvBytes() {
      return 2.0 * Short.BYTES * kvHeads * headSize * step.sequences() * step.context();
    }

    /** Of the blocks that hold one layer's share of the cache. */
    long poolBytes() {
      return 2L * Short.BYTES * kvHeads * headSize * KvCache.BLOCK_TOKENS * blocks();
    }

    /** Blocks of all sequences. */
    int blocks() {
      return step.sequences() * KvCache.blocksFor(step.context());
    }

    @Override
    public double bytes() {
      return kvBytes() + f32(2.0 * rows() * heads * headSize);
    }
  }

  /** The gated activation. */
  record Gated(int width, int rows) implements Kernel {
    @Override
    public String name() {
      return "gated activation";
    }

    @Override
    public String shape() {
      return Integer.toString(width);
    }

    @Override
    public double operations() {
      return 8.0 * rows * width;
    }

    @Override
    public double bytes() {
      return f32(3.0 * rows * width);
    }
  }

  /** Addition of the residual stream. */
  record Add(int width, int rows) implements Kernel {
    @Override
    public String name() {
      return "add";
    }

    @Override
    public String shape() {
      return Integer.toString(width);
    }

    @Override
    public double operations() {
      return (double) rows * width;
    }

    @Override
    public double bytes() {
      return f32(3.0 * rows * width);
    }
  }

  /**
   * Picking out the rows whose logits are wanted.
   *
   * @param of rows to pick from
   */
  record Gather(int width, int of, int rows) implements Kernel {
    @Override
    public String name() {
      return "output rows";
    }

    @Override
    public String shape() {
      return Integer.toString(width);
    }

    @Override
    public double operations() {
      return 0;
    }

    @Override
    public double bytes() {
      return f32(2.0 * rows * width);
    }
  }

  /** The best candidates and the sum of all exponentials of rows of logits. */
  record Select(int vocabulary, int rows) implements Kernel {
    @Override
    public String name() {
      return "select";
    }

    @Override
    public String shape() {
      return Integer.toString(vocabulary);
    }

    @Override
    public double operations() {
      return 0;
    }

    @Override
    public double bytes() {
      return f32((double) rows * vocabulary);
    }
  }
}
