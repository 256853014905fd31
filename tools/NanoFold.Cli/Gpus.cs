using NanoFold.Engine;
using NanoFold.Engine.Measurement;
using NanoFold.Kernels;
#if GPU
using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Gpu.Acceptance;
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

/// <summary>What the driver made of a program, or why it made nothing.</summary>
internal sealed record GpuProgramFigure(string Name, int Registers, int LocalBytes, string Warnings, string? Fault);

/// <summary>The GPUs, in a build with the GPU backend; without it there are none, and it says so.</summary>
internal static class Gpus
{
    /// <summary>Said of checks on a simulator, which has no such instructions.</summary>
    public const string NotRun = "not run: a simulator has no such instructions";

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

    /// <summary>Measures with attention's backward pass by one kernel, by warps where it would go by warpgroups too; false, and nothing is done, where there is no such choice.</summary>
    public static bool WithOneBackward(Backend backend, Action measure)
    {
        if (backend is not GpuBackend { CanTune: true })
        {
            return false;
        }

        bool? before = BackwardKernels.IsOne;
        try
        {
            BackwardKernels.IsOne = true;
            measure();
            return true;
        }
        finally
        {
            BackwardKernels.IsOne = before;
        }
    }

    /// <summary>ILGPU's simulator: right, slow, for tiny shapes.</summary>
    public static Backend OpenSimulator() => GpuDevices.OpenSimulator();

    /// <summary>What the driver makes of programs written as PTX, one of each group that has all of <paramref name="only"/> in its name; on a simulator, which has none, what the check of programs finds.</summary>
    public static IReadOnlyList<GpuProgramFigure> Programs(Backend backend, string[] only, TimeSpan limit, bool isDry)
        => [.. CardPrograms.Load(isDry ? null : Cuda(backend), only, isDry ? TimeSpan.FromSeconds(2) : limit).Select(p => new GpuProgramFigure(p.Name, p.Registers, p.LocalBytes, p.Warnings, p.Fault))];

    /// <summary>Checks a card; see <see cref="CardChecks"/>. A simulator is only told their names.</summary>
    /// <param name="backend">Of a CUDA device, or a simulator.</param>
    /// <param name="only">What a check must have in its name.</param>
    /// <param name="isDry">It is a simulator.</param>
    /// <param name="done">Told of each its name, what is wrong or null, what was expected and what came.</param>
    public static void Check(Backend backend, string[] only, bool isDry, Action<string, string?, byte[], byte[]> done)
    {
        CardCheck[] checks = [.. CardCheck.All.Where(c => only.All(text => c.Name.Contains(text, StringComparison.OrdinalIgnoreCase)))];
        if (isDry)
        {
            foreach (CardCheck check in checks)
            {
                done(check.Name, NotRun, [], []);
            }

            return;
        }

        CardChecks.Run(Cuda(backend), checks, (check, result, reason) => done(check.Name, reason ?? result!.Difference, result?.Expected ?? [], result?.Got ?? []));
    }

    private static GpuBackend Cuda(Backend backend) => backend is GpuBackend { CanTune: true } gpu ? gpu : throw new UserException($"bench gpu: {backend.Name} has no CUDA programs to check");

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
    public static bool WithOneBackward(Backend backend, Action measure) => false;

    /// <summary>There is none.</summary>
    public static Backend OpenSimulator() => throw new UserException($"--dry-run: {NotBuilt}");

    /// <summary>None.</summary>
    public static IReadOnlyList<GpuProgramFigure> Programs(Backend backend, string[] only, TimeSpan limit, bool isDry) => [];

    /// <summary>Checks nothing.</summary>
    public static void Check(Backend backend, string[] only, bool isDry, Action<string, string?, byte[], byte[]> done)
    {
    }

    /// <summary>Whether kernels of products can still be measured to advantage: never.</summary>
    public static bool IsUntuned(Backend backend) => false;

    /// <summary>Measures nothing.</summary>
    public static IReadOnlyList<GpuTuning> Tune(Backend backend, IReadOnlyList<(GemmCase Shape, GpuProducts Kind)> products, TimeSpan limit) => [];
#endif
}
