package dev.tandem.engine.machine;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * The limits of the control group that this process is in, and of the groups around it: version 2
 * ({@code cpu.max}, {@code memory.max}) or version 1.
 */
final class ControlGroup {

  private static final String MOUNT = "sys/fs/cgroup";

  private final KernelFiles files;

  ControlGroup(KernelFiles files) {
    this.files = files;
  }

  /** Processors' worth of time: the smallest of all groups around this process. */
  OptionalDouble processors() {
    List<Double> limits = new ArrayList<>();
    for (String folder : folders("", "")) {
      files
          .text(folder + "/cpu.max")
          .map(text -> text.split("\\s+"))
          .filter(parts -> parts.length == 2)
          .ifPresent(
              parts -> addRatio(limits, KernelFiles.parse(parts[0]), KernelFiles.parse(parts[1])));
    }
    for (String mount : List.of("cpu", "cpu,cpuacct")) { // alone, or together with accounting
      for (String folder : folders("cpu", mount)) {
        addRatio(
            limits,
            files.number(folder + "/cpu.cfs_quota_us"),
            files.number(folder + "/cpu.cfs_period_us"));
      }
    }
    return limits.stream().mapToDouble(Double::doubleValue).min();
  }

  /** The smallest limit of all groups around this process. */
  OptionalLong memory() {
    List<Long> limits = new ArrayList<>();
    for (String folder : folders("", "")) {
      files.number(folder + "/memory.max").ifPresent(limits::add);
    }
    for (String folder : folders("memory", "memory")) {
      files.number(folder + "/memory.limit_in_bytes").ifPresent(limits::add);
    }
    return limits.stream().mapToLong(Long::longValue).min();
  }

  /** Bytes up to the nearest limit; pages of files that the kernel can drop do not count. */
  OptionalLong memoryLeft() {
    List<Long> left = new ArrayList<>();
    for (String folder : folders("", "")) {
      addLeft(left, folder, "memory.max", "memory.current", "inactive_file ");
    }
    for (String folder : folders("memory", "memory")) {
      addLeft(
          left, folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ");
    }
    return left.stream().mapToLong(Long::longValue).min();
  }

  private void addLeft(
      List<Long> left, String folder, String limitFile, String usageFile, String droppable) {
    OptionalLong limit = files.number(folder + "/" + limitFile);
    if (limit.isPresent()) {
      long used =
          files.number(folder + "/" + usageFile).orElse(0)
              - files.field(folder + "/memory.stat", droppable, 1).orElse(0);
      left.add(Math.max(0, limit.getAsLong() - Math.max(0, used)));
    }
  }

  private static void addRatio(List<Double> limits, OptionalLong quota, OptionalLong period) {
    if (quota.isPresent()
        && period.isPresent()
        && quota.getAsLong() > 0
        && period.getAsLong() > 0) {
      limits.add((double) quota.getAsLong() / period.getAsLong());
    }
  }

  /**
   * The folders of this process's group and of all above it, for a controller ("" = version 2). In
   * a container the path that the kernel states may not exist below the mount; then the mount
   * itself is the group.
   */
  private List<String> folders(String controller, String mountName) {
    String mount = mountName.isEmpty() ? MOUNT : MOUNT + "/" + mountName;
    List<String> folders = new ArrayList<>();
    for (String path = path(controller); !path.isEmpty(); path = parent(path)) {
      folders.add(mount + path);
    }
    folders.add(mount);
    return folders;
  }

  /** The group's path from {@code /proc/self/cgroup}, without a slash at its end. */
  private String path(String controller) {
    return files
        .lines("proc/self/cgroup")
        .map(line -> line.split(":", 3))
        .filter(parts -> parts.length == 3)
        .filter(parts -> List.of(parts[1].split(",")).contains(controller))
        .map(parts -> parts[2].equals("/") ? "" : parts[2])
        .findFirst()
        .orElse("");
  }

  private static String parent(String path) {
    return path.substring(0, Math.max(0, path.lastIndexOf('/')));
  }
}
