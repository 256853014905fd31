using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Norm;

/// <summary>The norms on a simulated device with warps where rows of 16 bits are read 16 bytes a lane: whole rows of a tile, and such that end within it.</summary>
public class NormWideTests : NormTests
{
    private protected override int[][] Shapes => IsSimulated ? [[3, 256], [2, 504]] : base.Shapes;

    private protected override GpuBackend OpenGpu() => IsSimulated ? GpuDevices.OpenSimulator(threads: 64, warp: 32) : base.OpenGpu();

    [Test]
    public void RowsOfSixteenBitsThatAreMultiplesOfEightAreReadWide()
    {
        Assume.That(Gpu.Context.HasWarps);
        using var memory = new Memory(Gpu);
        foreach ((DType type, int width) in new[] { (DType.BFloat16, 256), (DType.BFloat16, 252), (DType.Float32, 256) })
        {
            View x = memory.Random(type, 1, 2, width);
            Gpu.Run(new RmsNormCall(x, default, x, memory.New(DType.Float32, 2, 1), 1e-5));
        }

        Type[][] norms = [.. Gpu.Context.Works.Where(work => work.Name.StartsWith("NormForward", StringComparison.Ordinal)).Select(work => work.GetGenericArguments())];
        Type[][] wide = [.. norms.Where(arguments => arguments.Contains(typeof(WidePieces)))];
        Assert.That(wide, Is.Not.Empty);
        Assert.That(wide.SelectMany(arguments => arguments), Does.Not.Contain(typeof(F32)).And.Not.Contain(typeof(RaggedPiece)));
        Assert.That(norms, Has.Length.GreaterThan(wide.Length));
    }
}
