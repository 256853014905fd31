using NanoFold.Engine.Measurement;
using NanoFold.Kernels;
#if GPU
using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.Gemm;
#endif

namespace NanoFold.Cli;

/// <summary>What a GPU is to the command line: a name, and why it cannot be used.</summary>
/// <param name="Kind"><c>cuda</c> or <c>opencl</c>.</param>
/// <param name="Name">As its driver gives it.</param>
/// <param name="MemoryBytes">Of its own.</param>
/// <param name="Driver">Version or platform.</param>
/// <param name="Abilities">What it can do.</param>
/// <param name="Reason">Why it cannot be used; null where it can.</param>
internal sealed record Gpu(string Kind, string Name, long MemoryBytes, string Driver, IReadOnlyList<string> Abilities, string? Reason);

/// <summary>A product whose kernels were measured: the one that did it before, the one that does it now, and the seconds of a call.</summary>
internal sealed record GpuTuning(GemmCase Shape, GpuProducts Kind, string Before, string After, double SecondsBefore, double SecondsAfter);

/// <summary>What products are computed in.</summary>
/// <param name="Name">For people.</param>
/// <param name="Type">Of the operands.</param>
/// <param name="Tensor">Whether Float32 may be rounded to tf32.</param>
internal sealed record GpuProducts(string Name, DType Type, bool Tensor)
{
    public static IReadOnlyList<GpuProducts> All { get; } =
        [new("fp32", DType.Float32, false), new("tf32", DType.Float32, true), new("bf16", DType.BFloat16, true)];
}

/// <summary>The GPUs, in a build with the GPU backend; without it there are none, and it says so.</summary>
internal static class Gpus
{
#if GPU
    public static IReadOnlyList<Gpu> List() =>
        [.. GpuDevices.List().Select(d => new Gpu(d.Kind, d.Name, d.MemoryBytes, d.Driver, d.Abilities, d.Reason))];

    /// <summary>What <c>auto</c> takes, or null.</summary>
    public static string? Preferred() => GpuDevices.List().FirstOrDefault(d => d.IsUsable && d.IsDiscreteGpu)?.Kind;

    /// <summary>What is wrong with a variable of the environment, in a line; null where nothing is.</summary>
    public static string? Fault => BackwardKernels.Fault;

    /// <summary>Why no device of a kind can be used, in one line; null where one can.</summary>
    public static string? WhyNot(string kind)
    {
        if (GpuDevices.WhyNone(kind) is { } reason)
        {
            return reason;
        }

        GpuDevice[] own = [.. GpuDevices.List().Where(d => d.Kind == kind)];
        return own.Any(d => d.IsUsable) ? null : string.Join("; ", own.Select(d => $"{d.Name}: {d.Reason}"));
    }

    public static Backend Open(string kind) =>
        (kind == Devices.Cuda ? GpuDevices.OpenCuda() : GpuDevices.OpenOpenCl()) ?? throw new InvalidOperationException($"{kind}: the device is gone");

    /// <summary>Measures with attention's backward pass by one kernel; null where there is no such choice.</summary>
    public static T? WithOneBackward<T>(Backend backend, Func<T> measure)
        where T : class
    {
        if (backend is not GpuBackend { CanTune: true })
        {
            return null;
        }

        bool before = BackwardKernels.IsOne;
        try
        {
            BackwardKernels.IsOne = true;
            return measure();
        }
        finally
        {
            BackwardKernels.IsOne = before;
        }
    }

    /// <summary>Whether kernels of products can still be measured to advantage: a CUDA device, and nothing is known of it.</summary>
    public static bool IsUntuned(Backend backend) => backend is GpuBackend { CanTune: true, IsTuned: false };

    /// <summary>Measures kernels of products and keeps the fastest; see <see cref="GpuBackend.Tune"/>.</summary>
    public static IReadOnlyList<GpuTuning> Tune(Backend backend, IReadOnlyList<(GemmCase Shape, GpuProducts Kind)> products, TimeSpan limit)
    {
        if (backend is not GpuBackend gpu)
        {
            return [];
        }

        Dictionary<MatMulShape, (GemmCase Shape, GpuProducts Kind)> shapes = products.DistinctBy(p => Shape(p.Shape, p.Kind)).ToDictionary(p => Shape(p.Shape, p.Kind));
        return [.. gpu.Tune(shapes.Keys, limit).Select(t => new GpuTuning(shapes[t.Shape].Shape, shapes[t.Shape].Kind, t.Before, t.After, t.SecondsBefore, t.SecondsAfter))];
    }

    // Gradients of weights are sums that leave the activations: they are in single precision.
    private static MatMulShape Shape(GemmCase of, GpuProducts kind) =>
        new(of.M, of.N, of.K, of.TransposeA, of.TransposeB, kind.Type, of.TransposeA ? DType.Float32 : kind.Type, kind.Type == DType.Float32 && kind.Tensor);
#else
    private const string NotBuilt =
        "this build has no GPU backend: its packages (ILGPU, ILGPU.Algorithms 1.5.3) were not found when it was built; NANOFOLD_GPU=true ./nanofold … builds with them";

    public static IReadOnlyList<Gpu> List() => [];

    /// <summary>What <c>auto</c> takes, or null.</summary>
    public static string? Preferred() => null;

    /// <summary>What is wrong with a variable of the environment: nothing that matters here.</summary>
    public static string? Fault => null;

    /// <summary>Why no device of a kind can be used, in one line; null where one can.</summary>
    public static string? WhyNot(string kind) => NotBuilt;

    public static Backend Open(string kind) => throw new InvalidOperationException(NotBuilt);

    /// <summary>Measures nothing.</summary>
    public static T? WithOneBackward<T>(Backend backend, Func<T> measure)
        where T : class
        => null;

    /// <summary>Whether kernels of products can still be measured to advantage: never.</summary>
    public static bool IsUntuned(Backend backend) => false;

    /// <summary>Measures nothing.</summary>
    public static IReadOnlyList<GpuTuning> Tune(Backend backend, IReadOnlyList<(GemmCase Shape, GpuProducts Kind)> products, TimeSpan limit) => [];
#endif
}
