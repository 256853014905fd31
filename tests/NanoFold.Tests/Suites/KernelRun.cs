using NanoFold.Kernels;

namespace NanoFold.Tests.Suites;

/// <summary>Calls of a backend's kernels without a place to keep them in.</summary>
internal static class KernelRun
{
    public static void Run<TCall>(this Backend backend, in TCall call)
        where TCall : struct, IKernelCall<TCall>
        => backend.Require<TCall>().Run(call);

    public static long ScratchBytes<TCall>(this Backend backend, in TCall shape)
        where TCall : struct, IKernelCall<TCall>
        => backend.Require<TCall>().ScratchBytes(shape);
}
