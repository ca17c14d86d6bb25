// The JNI side of the library: JavaCPP's generated functions for tandem.h, without JavaCPP's Java run-time, and the few
// functions that no header can describe.
//
// The generated file (jnitandem.cpp) is included, not compiled by itself, for two reasons.
//
// 1. Its JNI_OnLoad asks for org.bytedeco.javacpp.Pointer and Loader. The initialiser of Pointer extracts and loads a
//    library of its own from a shared cache folder, and the jar would have to be shipped. The functions for tandem.h
//    need none of it, so the two entry points are renamed away, and ours set the two variables that those functions
//    read.
// 2. It adds a buffer's position to GetDirectBufferAddress unasked: a heap buffer (address NULL) whose position is 5
//    would arrive as the pointer 5. `Env` stands in for JNIEnv there and throws instead.

// JavaCPP's own definitions, which it makes before <jni.h> so as to replace the JDK's.
#define _JAVASOFT_JNI_MD_H_
#define JNIEXPORT __attribute__((visibility("default")))
#define JNIIMPORT
#define JNICALL
typedef int jint;
typedef long long jlong;
typedef signed char jbyte;
#include <jni.h>

#include <cstdint>

namespace {

// JNIEnv with the calls that the generated code makes for a buffer argument replaced. They hide JNIEnv's by name.
struct Env : JNIEnv_ {
  void* GetDirectBufferAddress(jobject buffer) {
    void* address = ExceptionCheck() ? nullptr : JNIEnv_::GetDirectBufferAddress(buffer);
    if (address == nullptr && !ExceptionCheck()) {
      ThrowNew(FindClass("java/lang/IllegalArgumentException"), "native code takes direct buffers only");
    }
    return address;
  }

  // The position, which is added to the address; 0 where that was refused, so that NULL stays NULL. The native function
  // then refuses its argument, and Java sees the exception.
  jint GetIntField(jobject buffer, jfieldID position) {
    return ExceptionCheck() ? 0 : JNIEnv_::GetIntField(buffer, position);
  }
};

}  // namespace

#define JNIEnv Env
#define JNI_OnLoad javacpp_OnLoad
#define JNI_OnUnload javacpp_OnUnload
#define NO_JNI_DETACH_THREAD  // Would make a thread-local key for callbacks into Java, of which there are none.
#include "jnitandem.cpp"
#undef JNIEnv
#undef JNI_OnLoad
#undef JNI_OnUnload

extern "C" {

// Referred to by the functions that were renamed away; never called.
jint JNI_OnLoad_jnijavacpp(JavaVM*, void*) {
  return JNI_ERR;
}
void JNI_OnUnload_jnijavacpp(JavaVM*, void*) {}

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM* vm, void*) {
  JNIEnv* env = nullptr;
  if (vm->GetEnv(reinterpret_cast<void**>(&env), JNI_VERSION_1_8) != JNI_OK) {
    return JNI_ERR;
  }
  jclass buffer = env->FindClass("java/nio/Buffer");
  if (buffer == nullptr) {
    return JNI_ERR;
  }
  JavaCPP_vm = vm;
  JavaCPP_bufferPositionFID = env->GetFieldID(buffer, "position", "I");
  return JavaCPP_bufferPositionFID == nullptr ? JNI_ERR : JNI_VERSION_1_8;
}

// HostMemory.view: native memory as a direct buffer. The caller checked the extent.
JNIEXPORT jobject JNICALL Java_dev_tandem_runtime_HostMemory_view(JNIEnv* env, jclass, jlong address, jlong bytes) {
  return env->NewDirectByteBuffer(reinterpret_cast<void*>(static_cast<uintptr_t>(address)), bytes);
}

}  // extern "C"
