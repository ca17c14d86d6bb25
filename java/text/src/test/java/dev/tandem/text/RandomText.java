package dev.tandem.text;

import java.util.Random;
import java.util.stream.LongStream;

/** Texts that try a tokenizer hard: words, runs, every kind of space, scripts, halves of emoji. */
public final class RandomText {
  private static final String[] PARTS =
      ("the¦The¦THE¦hello¦world¦ing¦Straße¦naïve¦don't¦I'LL¦we'Ve¦'s¦'S¦'\u017F¦'re¦"
           + "'D¦''¦\"¦`¦x¦é¦e\u0301¦\u0301¦\u0300\u0301¦нещо¦НЕЩО¦На¦Ωmega¦ελληνικά¦עברית¦"
           + "العربية¦हिन्दी¦ไทย¦កាន់តែ¦한국어¦日本語¦カタカナ¦想在¦ー¦々¦ǅ¦ʰ¦ª¦１２３¦½¦²¦Ⅳ¦٣٤¦0¦7¦12¦123¦1234¦12345678¦3.14¦1,000¦"
           + " ¦  ¦   ¦     ¦\t¦\n"
           + "¦\n\n"
           + "¦\r\n"
           + "¦\r"
           + "¦ \n"
           + "¦\n"
           + " ¦\u00A0¦\u2003¦\u3000¦\u0085¦\u2028¦\u000B¦\u001C¦\u200B¦\uFEFF¦\u0000¦\u007F¦🦙¦🚀¦"
           + "😶‍🌫️¦👨‍👩‍👧¦🇧🇬¦✅¦\uD83E\uDD99\uDB40\uDC67¦𝔘𝔫𝔦¦𐐀𐐨¦🂡¦.¦...¦,¦!¦!!!¦?¦(¦)¦[¦]¦{¦}¦"
           + "<¦>¦=¦==¦+¦-¦--¦---¦_¦/¦//¦\\¦|¦~¦^¦$¦€¦#¦@¦&¦*¦%¦:¦;¦。¦、¦！¦？¦～¦「¦‘¦’¦“¦–¦—¦"
           + "<s>¦</s>¦<|im_end|>¦<0x0A>¦<|endoftext|>¦<unk>¦õ¦ÿ¦Á¦a¦aa¦aaaa¦ab¦abc¦http://¦\uFFFD")
          .split("¦");

  private final Random random;

  public RandomText(long seed) {
    random = new Random(seed);
  }

  /** Seeds for a parameterised test, the same in every run. */
  public static LongStream seeds(int count) {
    return LongStream.range(1, count + 1);
  }

  /** A text of up to so many parts. */
  public String next(int parts) {
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(parts + 1); i > 0; i--) {
      int kind = random.nextInt(20);
      if (kind == 0) {
        text.append(PARTS[random.nextInt(PARTS.length)].repeat(1 + random.nextInt(40)));
      } else if (kind == 1) {
        text.appendCodePoint(anyOldCharacter());
      } else if (kind < 8) {
        text.append(' ').append((char) ('a' + random.nextInt(26)));
      } else {
        text.append(PARTS[random.nextInt(PARTS.length)]);
      }
    }
    return text.toString();
  }

  /** A character of scripts that have been in Unicode for long, so that all tables agree on it. */
  private int anyOldCharacter() {
    while (true) {
      int c = random.nextInt(8) == 0 ? random.nextInt(0x30000) : random.nextInt(0x3000);
      int type = Character.getType(c);
      boolean settled = c < 0x0500 || c >= 0x4E00 && c < 0x9FA0 || c >= 0x1F300 && c < 0x1F600;
      if (settled && type != Character.UNASSIGNED && type != Character.SURROGATE) {
        return c;
      }
    }
  }
}
