package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import com.fasterxml.jackson.databind.JsonNode;
import dev.tandem.engine.machine.HostResources;
import java.util.Map;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** {@code tandem devices}. */
class DevicesTest {

  @Test
  void theCpuAsThisProcessMayUseIt() {
    HostResources host = HostResources.ofThisMachine();
    String[] lines = ok("devices").lines();
    assertTrue(lines[0].matches("device +name +kernels +threads +memory +free +driver"), lines[0]);
    assertTrue(lines[1].startsWith("cpu     " + host.processor().orElse("")), lines[1]);
    int end = lines[0].indexOf("threads") + "threads".length();
    assertTrue(lines[1].substring(0, end).endsWith(" " + host.computeThreads()), lines[1]);
    JsonNode cpu = ok("devices", "--json").json().get("devices").get(0);
    assertEquals("cpu", cpu.get("device").textValue());
    assertEquals(host.computeThreads(), cpu.get("threads").intValue());
    assertEquals(
        host.totalMemory(),
        cpu.has("memory_bytes")
            ? OptionalLong.of(cpu.get("memory_bytes").longValue())
            : OptionalLong.empty());
    assertFalse(cpu.has("read_bytes_per_second"));
  }

  /** Where there are GPUs they are in the table; where there are none, it is said why. */
  @Test
  void gpusOrWhatIsMissing() {
    JsonNode report = ok("devices", "--json").json();
    boolean found = report.get("devices").size() > 1;
    boolean missing = report.get("missing").has("cuda");
    assertTrue(found || missing || ok("devices").lines().length == 3, report::toPrettyString);
    if (missing) {
      String why = report.get("missing").get("cuda").textValue();
      assertTrue(ok("devices").out().contains("\n\n"), "below the table");
      assertTrue(ok("devices").out().endsWith(why + "\n"), why);
    }
    assertFalse(ok("devices").out().contains("emulated"));
  }

  @Test
  void speedsAreMeasuredOnRequest() {
    Tandem.Result run = ok("devices", "--measure", "--all");
    assumeFalse(run.out().contains("emulated: this installation has no"), run.out());
    String[] lines = run.lines();
    assertTrue(
        lines[0].matches(
            "device +name +kernels +threads +memory +free +memory GB/s +to it GB/s"
                + " +from it GB/s +driver"),
        lines[0]);
    assertTrue(lines[1].matches("cpu .*GiB +[\\d.]+ +- +- +-"), lines[1]);
    String emulated = run.out().lines().filter(line -> line.startsWith("em")).findFirst().get();
    assertTrue(
        emulated.matches(
            "emulated:0  emulated GPU +- +- +8\\.0 GiB +8\\.0 GiB +[\\d.]+ +[\\d.]+ +[\\d.]+ +-"),
        emulated);
    JsonNode devices = ok("devices", "--measure", "--all", "--json").json().get("devices");
    assertTrue(devices.get(0).get("read_bytes_per_second").doubleValue() > 1e8);
    JsonNode gpu = devices.get(devices.size() - 1);
    assertTrue(gpu.get("usable").booleanValue());
    for (String speed : new String[] {"copy", "to_device", "to_host"}) {
      assertTrue(gpu.get(speed + "_bytes_per_second").doubleValue() > 1e7, gpu::toString);
    }
  }

  @Test
  void whatCannotBeUsedIsShownWithTheReason() {
    Map<String, String> wrong = Map.of("TANDEM_EMULATED", "memory=1073741824 colour=red");
    Tandem.Result run = Tandem.runProcess(wrong, "devices", "--all", "--measure");
    assertEquals(0, run.code(), run.err());
    assumeFalse(run.out().contains("emulated: this installation has no"), run.out());
    assertTrue(run.out().contains("\nemulated:0: TANDEM_EMULATED: 'colour=red' is no setting"));
    assertTrue(run.out().lines().anyMatch(line -> line.matches("em.* 1\\.0 GiB +- .*")), run.out());
  }

  @Test
  void aDeviceThatIsLostWhileItIsMeasured() {
    Map<String, String> lost = Map.of("TANDEM_EMULATED", "lose-at=9");
    Tandem.Result run = Tandem.runProcess(lost, "devices", "--all", "--measure");
    assertEquals(0, run.code(), run.err());
    assumeFalse(run.out().contains("emulated: this installation has no"), run.out());
    assertTrue(run.out().contains("\nemulated:0/host: "), run.out());
    assertTrue(run.out().contains("lost"), run.out());
  }
}
