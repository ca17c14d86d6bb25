package dev.tandem.engine.machine;

import java.nio.file.Path;
import java.util.HashSet;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;

/**
 * What this process may use of the machine: cores and memory, within its affinity mask and the
 * limits of its control group. Read from the kernel's files each time; where one is missing, the
 * limit that it would state is absent.
 */
public final class HostResources {

  private final KernelFiles files;
  private final ControlGroup group;

  /** This machine. */
  public static HostResources ofThisMachine() {
    return new HostResources(Path.of("/"));
  }

  /**
   * A machine whose kernel files lie under a folder.
   *
   * @param root holds {@code proc} and {@code sys}
   */
  public HostResources(Path root) {
    this.files = new KernelFiles(root);
    this.group = new ControlGroup(files);
  }

  /**
   * Threads that compute well: one per physical core of the affinity mask, no more than the control
   * group's share of processor time, at least 1.
   */
  public int computeThreads() {
    int cores = physicalCores();
    OptionalDouble quota = group.processors();
    return quota.isPresent() ? Math.max(1, Math.min(cores, (int) quota.getAsDouble())) : cores;
  }

  /** Physical cores with at least one processor in the affinity mask. */
  public int physicalCores() {
    Set<Integer> allowed = affinity();
    if (allowed.isEmpty()) {
      return Runtime.getRuntime().availableProcessors();
    }
    Set<String> cores = new HashSet<>();
    for (int processor : allowed) {
      String topology = "sys/devices/system/cpu/cpu" + processor + "/topology/";
      cores.add(
          files
              .text(topology + "core_cpus_list")
              .or(() -> files.text(topology + "thread_siblings_list"))
              .orElse("cpu" + processor));
    }
    return cores.size();
  }

  /** What the processor is called, or empty if the system does not tell. */
  public Optional<String> processor() {
    return files
        .lines("proc/cpuinfo")
        .filter(line -> line.startsWith("model name"))
        .map(line -> line.substring(line.indexOf(':') + 1).strip())
        .findFirst();
  }

  /** Bytes that this process could have if nobody else had any, or empty if nobody tells. */
  public OptionalLong totalMemory() {
    return least(files.field("proc/meminfo", "MemTotal:", 1024), group.memory());
  }

  /** Bytes that can still be allocated, or empty if the system does not tell. */
  public OptionalLong availableMemory() {
    return least(files.field("proc/meminfo", "MemAvailable:", 1024), group.memoryLeft());
  }

  private static OptionalLong least(OptionalLong machine, OptionalLong ofGroup) {
    if (machine.isEmpty() || ofGroup.isEmpty()) {
      return machine.isEmpty() ? ofGroup : machine;
    }
    return OptionalLong.of(Math.min(machine.getAsLong(), ofGroup.getAsLong()));
  }

  /**
   * Bytes of this process on huge pages (2 MiB on x86-64), or empty if the system does not tell.
   */
  public OptionalLong memoryOnHugePages() {
    return files.field("proc/self/smaps_rollup", "AnonHugePages:", 1024);
  }

  private Set<Integer> affinity() {
    Optional<String> list =
        files
            .lines("proc/self/status")
            .filter(line -> line.startsWith("Cpus_allowed_list:"))
            .map(line -> line.substring(line.indexOf(':') + 1).trim())
            .findFirst();
    return list.map(HostResources::parseList).orElse(Set.of());
  }

  /** {@code 0-3,8,10-11} as a set; what is no such list gives the part that is. */
  static Set<Integer> parseList(String list) {
    Set<Integer> members = new TreeSet<>();
    for (String part : list.split(",")) {
      String[] ends = part.trim().split("-");
      try {
        int first = Integer.parseInt(ends[0]);
        int last = ends.length > 1 ? Integer.parseInt(ends[1]) : first;
        for (int i = first; i <= last && members.size() < 65_536; i++) {
          members.add(i);
        }
      } catch (NumberFormatException e) {
        break;
      }
    }
    return members;
  }
}
