package dev.tandem.engine.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.tandem.engine.ChildJvm;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HostResourcesTest {
  private static final long GIB = 1 << 30;

  /** The root of a machine that we make up. */
  @TempDir private Path root;

  private HostResources host;

  /** 8 cores of two threads each, 64 GiB of memory, no control groups. */
  @BeforeEach
  void largeMachine() {
    affinity("0-15");
    for (int processor = 0; processor < 16; processor++) {
      String topology = "sys/devices/system/cpu/cpu" + processor + "/topology/";
      write(topology + "core_cpus_list", processor % 8 + "," + (processor % 8 + 8));
    }
    write(
        "proc/meminfo",
        """
        MemTotal:       67108864 kB
        MemFree:         1048576 kB
        MemAvailable:   50331648 kB
        """);
    host = new HostResources(root);
  }

  @Test
  void withoutLimits() {
    assertEquals(8, host.physicalCores());
    assertEquals(8, host.computeThreads());
    assertEquals(OptionalLong.of(48 * GIB), host.availableMemory());
    assertEquals(OptionalLong.of(64 * GIB), host.totalMemory());
  }

  @Test
  void processorsName() {
    assertEquals(Optional.empty(), host.processor());
    write("proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU: the 2nd\nmodel name\t: x\n");
    assertEquals(Optional.of("Some CPU: the 2nd"), host.processor());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "0::/a/b; sys/fs/cgroup/a/memory.max", // version 2
        "9:memory:/a/b; sys/fs/cgroup/memory/a/memory.limit_in_bytes"
      })
  void totalMemoryIsThatOfTheTightestGroup(String line, String file) {
    write("proc/self/cgroup", line + "\n");
    write(file, 20 * GIB + "\n");
    assertEquals(OptionalLong.of(20 * GIB), host.totalMemory());
    write(file, 100 * GIB + "\n");
    assertEquals(OptionalLong.of(64 * GIB), host.totalMemory());
    write(file, "max\n");
    assertEquals(OptionalLong.of(64 * GIB), host.totalMemory());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "0-7; 8", // one thread of every core
        "0-3,8-11; 4", // both threads of half of them
        "3,11; 1",
        "5; 1",
        "0,9,2; 3",
        "8-15; 8"
      })
  void oneThreadPerPhysicalCoreOfTheAffinityMask(String list, int cores) {
    affinity(list);
    assertEquals(cores, host.physicalCores());
    assertEquals(cores, host.computeThreads());
  }

  /** Kernels before 5.x have only the older name; without either every processor is a core. */
  @Test
  void olderNamesOfSiblings() throws IOException {
    for (int processor = 0; processor < 16; processor++) {
      Path topology = root.resolve("sys/devices/system/cpu/cpu" + processor + "/topology/");
      Files.move(topology.resolve("core_cpus_list"), topology.resolve("thread_siblings_list"));
    }
    assertEquals(8, host.physicalCores());
    for (int processor = 0; processor < 16; processor++) {
      Files.delete(
          root.resolve(
              "sys/devices/system/cpu/cpu" + processor + "/topology/thread_siblings_list"));
    }
    assertEquals(16, host.physicalCores());
  }

  @Test
  void nothingToRead() {
    HostResources unknown = new HostResources(root.resolve("nowhere"));
    assertEquals(Runtime.getRuntime().availableProcessors(), unknown.computeThreads());
    assertEquals(OptionalLong.empty(), unknown.availableMemory());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "max 100000; 8",
        "400000 100000; 4",
        "350000 100000; 3", // what is not a whole core is left to others
        "50000 100000; 1",
        "1600000 100000; 8",
        "100000; 8", // not what the kernel writes
        "x y; 8",
        "0 100000; 8"
      })
  void quotaOfVersion2(String quota, int threads) {
    write("proc/self/cgroup", "0::/tandem.slice\n");
    write("sys/fs/cgroup/tandem.slice/cpu.max", quota + "\n");
    assertEquals(threads, host.computeThreads());
  }

  @Test
  void theTightestGroupAroundTheProcessCounts() {
    write("proc/self/cgroup", "0::/outer/middle/inner\n");
    write("sys/fs/cgroup/outer/cpu.max", "300000 100000\n");
    write("sys/fs/cgroup/outer/middle/cpu.max", "200000 100000\n");
    write("sys/fs/cgroup/outer/middle/inner/cpu.max", "600000 100000\n");
    write("sys/fs/cgroup/outer/memory.max", 20 * GIB + "\n");
    write("sys/fs/cgroup/outer/memory.current", 5 * GIB + "\n");
    write("sys/fs/cgroup/outer/middle/memory.max", "max\n");
    write("sys/fs/cgroup/outer/middle/inner/memory.max", 30 * GIB + "\n");
    write("sys/fs/cgroup/outer/middle/inner/memory.current", GIB + "\n");
    assertEquals(2, host.computeThreads());
    assertEquals(OptionalLong.of(15 * GIB), host.availableMemory());
  }

  /** Files that were read once count as used until somebody needs the memory. */
  @Test
  void pagesThatCanBeDroppedDoNotCount() {
    write("proc/self/cgroup", "0::/tandem\n");
    write("sys/fs/cgroup/tandem/memory.max", 10 * GIB + "\n");
    write("sys/fs/cgroup/tandem/memory.current", 9 * GIB + "\n");
    write(
        "sys/fs/cgroup/tandem/memory.stat",
        "anon 1073741824\nactive_file 1073741824\ninactive_file " + 7 * GIB + "\n");
    assertEquals(OptionalLong.of(8 * GIB), host.availableMemory());
    write("sys/fs/cgroup/tandem/memory.current", 12 * GIB + "\n"); // the limit was lowered
    write("sys/fs/cgroup/tandem/memory.stat", "inactive_file 0\n");
    assertEquals(OptionalLong.of(0), host.availableMemory());
  }

  /** The machine may have less than the group allows. */
  @Test
  void theSmallerOfMachineAndGroup() {
    write("proc/self/cgroup", "0::/tandem\n");
    write("sys/fs/cgroup/tandem/memory.max", 1000 * GIB + "\n");
    write("sys/fs/cgroup/tandem/memory.current", "0\n");
    assertEquals(OptionalLong.of(48 * GIB), host.availableMemory());
  }

  /** In a container the kernel may state a path of the host, and mount the group itself. */
  @Test
  void containerWhereThePathDoesNotExist() {
    write("proc/self/cgroup", "0::/system.slice/docker-1234.scope\n");
    write("sys/fs/cgroup/cpu.max", "200000 100000\n");
    write("sys/fs/cgroup/memory.max", 4 * GIB + "\n");
    write("sys/fs/cgroup/memory.current", GIB + "\n");
    assertEquals(2, host.computeThreads());
    assertEquals(OptionalLong.of(3 * GIB), host.availableMemory());
  }

  @Test
  void containerInItsOwnNamespace() {
    write("proc/self/cgroup", "0::/\n");
    write("sys/fs/cgroup/cpu.max", "300000 100000\n");
    assertEquals(3, host.computeThreads());
  }

  @Test
  void version1() {
    write(
        "proc/self/cgroup",
        """
        12:memory:/user.slice/tandem
        5:cpu,cpuacct:/user.slice/tandem
        1:name=systemd:/user.slice
        0::/user.slice
        """);
    String cpu = "sys/fs/cgroup/cpu,cpuacct/user.slice/";
    write(cpu + "cpu.cfs_quota_us", "500000\n");
    write(cpu + "cpu.cfs_period_us", "100000\n");
    write(cpu + "tandem/cpu.cfs_quota_us", "-1\n"); // none of its own
    write(cpu + "tandem/cpu.cfs_period_us", "100000\n");
    String memory = "sys/fs/cgroup/memory/user.slice/";
    write(memory + "memory.limit_in_bytes", "9223372036854771712\n"); // none
    write(memory + "memory.usage_in_bytes", 40 * GIB + "\n");
    write(memory + "tandem/memory.limit_in_bytes", 8 * GIB + "\n");
    write(memory + "tandem/memory.usage_in_bytes", 6 * GIB + "\n");
    write(memory + "tandem/memory.stat", "inactive_file 1\ntotal_inactive_file " + 2 * GIB + "\n");
    assertEquals(5, host.computeThreads());
    assertEquals(OptionalLong.of(4 * GIB), host.availableMemory());
  }

  /** Some systems mount the controller under its own name alone. */
  @Test
  void version1WithAnotherMount() {
    write("proc/self/cgroup", "4:cpuacct,cpu:/tandem\n");
    write("sys/fs/cgroup/cpu/tandem/cpu.cfs_quota_us", "200000\n");
    write("sys/fs/cgroup/cpu/tandem/cpu.cfs_period_us", "100000\n");
    assertEquals(2, host.computeThreads());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {"garbage; ''", "3-1; ''", "''; ''", "2,x,5; 2", "1-; 1", "0-2,2-3; 0 1 2 3"})
  void listsThatNobodyWrites(String list, String members) {
    Set<Integer> expected =
        Set.of(members.split(" ")).stream()
            .filter(text -> !text.isEmpty())
            .map(Integer::valueOf)
            .collect(Collectors.toSet());
    assertEquals(expected, HostResources.parseList(list));
  }

  @Test
  void endlessListsEnd() {
    assertTrue(HostResources.parseList("0-2147483647").size() <= 65_536);
  }

  /** Really: a process that may run on one processor only, by its affinity mask. */
  @Test
  void thisMachineWithTaskset() throws IOException, InterruptedException {
    assumeTrue(Files.isExecutable(Path.of("/usr/bin/taskset")), "taskset is missing (util-linux)");
    HostResources here = HostResources.ofThisMachine();
    int processors = Runtime.getRuntime().availableProcessors();
    assertTrue(here.computeThreads() >= 1 && here.computeThreads() <= processors);
    assertTrue(here.availableMemory().orElse(0) > 0);
    String allowed =
        Files.readAllLines(Path.of("/proc/self/status")).stream()
            .filter(line -> line.startsWith("Cpus_allowed_list:"))
            .map(line -> line.replaceAll("\\D+", " ").strip().split(" ")[0])
            .findFirst()
            .orElseThrow();
    assertEquals("1", ChildJvm.run(List.of("taskset", "-c", allowed), Threads.class));
    assertEquals(String.valueOf(here.computeThreads()), ChildJvm.run(List.of(), Threads.class));
  }

  /** Prints how many threads it would compute with. */
  static final class Threads {
    private Threads() {}

    public static void main(String[] arguments) {
      System.out.println(HostResources.ofThisMachine().computeThreads());
    }
  }

  private void affinity(String list) {
    write(
        "proc/self/status",
        "Name:\tjava\nCpus_allowed:\tffff\nCpus_allowed_list:\t" + list + "\nThreads:\t1\n");
  }

  private void write(String path, String content) {
    try {
      Files.createDirectories(root.resolve(path).getParent());
      Files.writeString(root.resolve(path), content);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
