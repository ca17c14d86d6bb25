package dev.tandem.cli;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.simpleName;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaMethodCall;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.library.GeneralCodingRules;
import java.util.Set;

/** The rules of docs/architecture.md that a compiler does not hold. */
@AnalyzeClasses(packages = "dev.tandem", importOptions = ArchitectureTest.Product.class)
final class ArchitectureTest {

  /** Neither this module's tests nor those of others, which come as a jar. */
  static final class Product implements ImportOption {
    @Override
    public boolean includes(Location location) {
      return new ImportOption.DoNotIncludeTests().includes(location)
          && !location.contains("-tests.jar");
    }
  }

  /** The arrows between modules; those of Maven could be bypassed through a dependency's own. */
  @ArchTest
  static final ArchRule modulesDependAlongTheArrows =
      layeredArchitecture()
          .consideringOnlyDependenciesInAnyPackage("dev.tandem..")
          .layer("model")
          .definedBy("dev.tandem.model..")
          .layer("text")
          .definedBy("dev.tandem.text..")
          .layer("runtime")
          .definedBy("dev.tandem.runtime..")
          .layer("engine")
          .definedBy("dev.tandem.engine..")
          .layer("protocol")
          .definedBy("dev.tandem.protocol..")
          .layer("client")
          .definedBy("dev.tandem.client..")
          .layer("server")
          .definedBy("dev.tandem.server..")
          .layer("cli")
          .definedBy("dev.tandem.cli..")
          .optionalLayer("reference")
          .definedBy("dev.tandem.reference..")
          .whereLayer("model")
          .mayNotAccessAnyLayer()
          .whereLayer("runtime")
          .mayNotAccessAnyLayer()
          .whereLayer("text")
          .mayOnlyAccessLayers("model")
          .whereLayer("reference")
          .mayOnlyAccessLayers("model")
          .whereLayer("engine")
          .mayOnlyAccessLayers("model", "text", "runtime")
          .whereLayer("protocol")
          .mayNotAccessAnyLayer()
          .whereLayer("client")
          .mayOnlyAccessLayers("protocol")
          .whereLayer("server")
          .mayOnlyAccessLayers("model", "text", "runtime", "engine", "protocol")
          .whereLayer("cli")
          .mayOnlyAccessLayers("model", "text", "runtime", "engine", "protocol", "server", "client")
          .ensureAllClassesAreContainedInArchitectureIgnoring("dev.tandem.bench..");

  /** A module's own package is the whole, which the rules after this one keep from its parts. */
  @ArchTest
  static final ArchRule packagesOfAModuleHaveNoCycles =
      slices().matching("dev.tandem.(*).(*)..").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule partsOfTheModelDoNotKnowTheWhole =
      noClasses()
          .that()
          .resideInAPackage("dev.tandem.model.*..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.tandem.model");

  @ArchTest
  static final ArchRule partsOfTheEngineDoNotKnowTheWhole =
      noClasses()
          .that()
          .resideInAPackage("dev.tandem.engine.*..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.tandem.engine");

  /** So they can be tested on a virtual clock without native code. */
  @ArchTest
  static final ArchRule bookkeepingOfTheEngineIsPureJava =
      noClasses()
          .that()
          .resideInAnyPackage(
              "dev.tandem.engine.kv..",
              "dev.tandem.engine.machine..",
              "dev.tandem.engine.schedule..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.tandem.runtime..");

  @ArchTest
  static final ArchRule kvAndMachineStandAlone =
      noClasses()
          .that()
          .resideInAnyPackage("dev.tandem.engine.kv..", "dev.tandem.engine.machine..")
          .should()
          .dependOnClassesThat(
              resideInAPackage("dev.tandem..")
                  .and(
                      not(
                          resideInAnyPackage(
                              "dev.tandem.engine.kv..", "dev.tandem.engine.machine.."))));

  @ArchTest
  static final ArchRule scoresAreArithmeticAlone =
      noClasses()
          .that()
          .resideInAPackage("dev.tandem.engine.score..")
          .should()
          .dependOnClassesThat(
              resideInAPackage("dev.tandem..")
                  .and(not(resideInAPackage("dev.tandem.engine.score.."))));

  /**
   * {@code inspect}, {@code tokenize}, {@code template}, {@code --help} and {@code --version} load
   * no library.
   */
  @ArchTest
  static final ArchRule commandsThatOnlyReadDoNotTouchTheDevice =
      noClasses()
          .that()
          .haveSimpleNameStartingWith("Inspect")
          .or()
          .haveSimpleNameStartingWith("Tokenize")
          .or()
          .haveSimpleNameStartingWith("Template")
          .or()
          .haveSimpleNameStartingWith("Synth")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.tandem.runtime..")
          .orShould()
          .dependOnClassesThat(
              resideInAPackage("dev.tandem.engine..").and(not(simpleName("MemoryNeed"))));

  /** {@code generate --connect} loads no library, and no engine but the names of its numbers. */
  @ArchTest
  static final ArchRule whatAServerDoesTouchesNoEngine =
      noClasses()
          .that()
          .resideInAPackage("dev.tandem.cli..")
          .and()
          .haveSimpleNameStartingWith("Remote")
          .or()
          .resideInAPackage("dev.tandem.cli..")
          .and()
          .haveSimpleNameStartingWith("Connect")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.tandem.runtime..")
          .orShould()
          .dependOnClassesThat(
              resideInAPackage("dev.tandem.engine..")
                  .and(not(resideInAPackage("dev.tandem.engine.sample.."))));

  /** A client is small: protobuf and Netty, and nothing else. */
  @ArchTest
  static final ArchRule theClientNeedsProtobufAndNettyAlone =
      noClasses()
          .that()
          .resideInAnyPackage("dev.tandem.client..", "dev.tandem.protocol..")
          .should()
          .dependOnClassesThat(
              not(
                  resideInAnyPackage(
                      "java..",
                      "javax.net.ssl..",
                      "dev.tandem.client..",
                      "dev.tandem.protocol..",
                      "com.google.protobuf..",
                      "io.netty..")));

  @ArchTest
  static final ArchRule nativeFunctionsAreCalledByTheRuntimeAlone =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.tandem.runtime")
          .should()
          .dependOnClassesThat()
          .haveSimpleName("Native")
          .orShould()
          .dependOnClassesThat()
          .haveSimpleName("Calls");

  /** JavaCPP makes the binding; nothing of it runs. */
  @ArchTest
  static final ArchRule javaCppIsForTheMappingAlone =
      noClasses()
          .that()
          .doNotHaveFullyQualifiedName("dev.tandem.runtime.Native")
          .and()
          .doNotHaveFullyQualifiedName("dev.tandem.runtime.NativeMapping")
          .and()
          .doNotHaveFullyQualifiedName("dev.tandem.runtime.NativeHeader")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("org.bytedeco..");

  /** What reads strangers' templates is in one place, and loaded by nobody else. */
  @ArchTest
  static final ArchRule templatesAreReadInOnePlace =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.tandem.text.chat..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "com.hubspot..", "jinjava..", "com.google.common..", "com.google.re2j..");

  /** The libraries of a server are for servers and clients: other commands start without them. */
  @ArchTest
  static final ArchRule librariesOfTheServerAreForTheServer =
      noClasses()
          .that()
          .resideOutsideOfPackages(
              "dev.tandem.text.chat..",
              "dev.tandem.protocol..",
              "dev.tandem.client..",
              "dev.tandem.server..",
              "dev.tandem.bench..",
              "dev.tandem.cli.load..")
          .and()
          .haveSimpleNameNotStartingWith("Remote")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "io.netty..",
              "io.micrometer..",
              "ch.qos.logback..",
              "com.google.protobuf..",
              "com.fasterxml.jackson.databind..");

  /** How the log is set up is one class's business, so that a program may bring its own. */
  @ArchTest
  static final ArchRule logbackIsSetUpInOnePlace =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.tandem.server.log..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("ch.qos.logback..");

  /** No name in a template leads to Java: nothing there could follow it. */
  @ArchTest
  static final ArchRule templatesDoNotReflect =
      noClasses()
          .that()
          .resideInAPackage("dev.tandem.text.chat..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("java.lang.reflect..", "java.lang.invoke..")
          .orShould()
          .dependOnClassesThat()
          .areAssignableTo(ClassLoader.class);

  /**
   * Configuration comes by arguments. The loader asks where it may unpack, the CLI what people set.
   */
  @ArchTest
  static final ArchRule configurationIsReadAtTheEdges =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.tandem.cli..")
          .and()
          .doNotHaveFullyQualifiedName("dev.tandem.runtime.Loader")
          .and()
          .doNotHaveFullyQualifiedName("dev.tandem.runtime.LibraryCache")
          .and()
          .doNotHaveFullyQualifiedName("dev.tandem.runtime.Platform")
          .should()
          .callMethodWhere(readsConfiguration());

  /**
   * A library's warnings are for the log, and servers have one; others throw, or tell who called.
   */
  @ArchTest
  static final ArchRule onlyTheModelAndTheServerLog =
      noClasses()
          .that()
          .doNotHaveFullyQualifiedName("dev.tandem.engine.TandemModel")
          .and()
          .resideOutsideOfPackage("dev.tandem.server..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("java.util.logging..", "org.slf4j..")
          .orShould()
          .dependOnClassesThat()
          .areAssignableTo(System.Logger.class);

  /** Text goes through {@code Streams}: UTF-8, and standard output for results alone. */
  @ArchTest
  static final ArchRule nobodyPrintsPastTheStreams =
      noClasses()
          .that()
          .doNotHaveSimpleName("StartupTraining")
          .and()
          .resideOutsideOfPackage("dev.tandem.bench..")
          .should(GeneralCodingRules.ACCESS_STANDARD_STREAMS);

  /** Memory is given back by try-with-resources. */
  @ArchTest
  static final ArchRule nothingIsLeftToTheCollector =
      noClasses()
          .should()
          .dependOnClassesThat()
          .areAssignableTo(java.lang.ref.Cleaner.class)
          .orShould()
          .dependOnClassesThat()
          .areAssignableTo(java.lang.ref.PhantomReference.class);

  private static DescribedPredicate<JavaMethodCall> readsConfiguration() {
    Set<String> names =
        Set.of("getProperty", "getProperties", "getenv", "getInteger", "getLong", "getBoolean");
    Set<String> owners =
        Set.of("java.lang.System", "java.lang.Integer", "java.lang.Long", "java.lang.Boolean");
    return DescribedPredicate.describe(
        "read system properties or the environment",
        call -> names.contains(call.getName()) && owners.contains(call.getTargetOwner().getName()));
  }
}
