using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Loops;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Norm;

public class NormTests : GpuTests
{
    private static readonly (DType Type, double Tolerance)[] s_types = [(DType.Float32, 2e-6), (DType.BFloat16, 1e-2), (DType.Float16, 2e-3)];

    private protected virtual int[][] Shapes => IsSimulated
        ? [[1, 1], [3, 4], [5, 7], [2, 3, 32], [19, 50], [3, 300]]
        : [[1, 1], [5, 7], [2, 3, 32], [1000, 128], [4096, 768], [3, 2047], [77, 2052], [130, 5000], [3, 9000],
            [9, 64], [301, 192], [700, 384], [300, 512], [99, 640], [3, 896], [55, 1024], [20, 1536]];

    [Test]
    public void NormsAreThoseOfTheCpu([ValueSource(nameof(s_types))] (DType Type, double Tolerance) type, [Values] bool isCentered)
    {
        foreach (int[] shape in Shapes)
        {
            foreach (bool isAffine in new[] { true, false })
            {
                Check(type.Type, type.Tolerance, shape, isCentered, isAffine, accumulate: !isAffine, x => x);
            }
        }
    }

    [Test]
    public void RowsAreHeadsOfAProjection([ValueSource(nameof(s_types))] (DType Type, double Tolerance) type, [Values] bool isCentered)
    {
        Check(type.Type, type.Tolerance, [2, 3, 48], isCentered, isAffine: true, accumulate: true, Heads);
        Check(type.Type, type.Tolerance, [2, 3, 54], isCentered, isAffine: true, accumulate: false, Heads);
    }

    [Test]
    public void SumsHaveTheSameBitsEachTime()
    {
        int rows = IsSimulated ? 40 : 20000;
        float[] first = Run(), second = Run();
        Assert.That(second, Is.EqualTo(first));

        float[] Run()
        {
            using var memory = new Memory(Gpu);
            View x = memory.Random(DType.Float32, 1, rows, 24), dy = memory.Random(DType.Float32, 2, rows, 24), dGain = memory.New(DType.Float32, 24);
            View statistics = memory.New(DType.Float32, rows, 1), y = memory.New(DType.Float32, rows, 24);
            View scratch = memory.New(DType.Float32, (int)Gpu.ScratchBytes(new RmsNormBackwardCall { X = x, DGain = dGain }) / 4);
            Gpu.Run(new RmsNormCall(x, default, y, statistics, 1e-5));
            Gpu.Run(new RmsNormBackwardCall(x, default, statistics, dy, dy, false, dGain, scratch));
            return [.. memory.Read(dGain), .. memory.Read(dy)];
        }
    }

    [Test]
    public void SumsAreExchangedWithinWarpsWhereThereAreSome()
    {
        Check(DType.Float32, 2e-6, [3, 40], isCentered: false, isAffine: true, accumulate: false, x => x);
        Type[] norms = [.. Gpu.Context.Works.Where(w => w.Name.StartsWith("Norm", StringComparison.Ordinal))];
        Assert.That(norms, Is.Not.Empty);
        Assert.That(norms.All(n => n.GetGenericArguments().Contains(Gpu.Context.HasWarps ? typeof(WarpSum) : typeof(SharedSum))));
    }

    [Test]
    public void DoublePrecisionIsRefused()
    {
        using var memory = new Memory(Gpu);
        View x = memory.New(DType.Float64, 2, 3);
        Assert.That(() => Gpu.Run(new RmsNormCall(x, default, x, x.With(Layout.Of(2)), 1e-5)), Throws.ArgumentException.With.Message.Contains("on a GPU"));
    }

    // The middle third of each row, in two heads: [B, T, 3 C] to [B, T, 2, C / 2].
    private static Twin Heads(Twin x)
    {
        int third = x.Cpu.Layout[2] / 3;
        return x.With(x.Cpu.Layout.Slice(2, third, third, out long offset).SplitLast(2), offset);
    }

    private void Check(DType type, double tolerance, int[] shape, bool isCentered, bool isAffine, bool accumulate, Func<Twin, Twin> part)
    {
        using var twins = new Twins(Gpu, Cpu);
        Twin x = twins.Random(type, 1, shape), y = twins.Random(type, 2, shape), dy = twins.Random(type, 3, shape), dx = twins.Random(type, 4, shape);
        Twin xs = part(x), ys = part(y), dys = part(dy), dxs = part(dx);
        int width = xs.Cpu.Layout[-1], rows = (int)xs.Cpu.Layout.Rows;
        Twin gain = isAffine ? twins.Random(type, 5, width) : default, bias = isAffine && isCentered ? twins.Random(type, 6, width) : default;
        Twin dGain = isAffine ? twins.Random(DType.Float32, 7, width) : default, dBias = isAffine && isCentered ? twins.Random(DType.Float32, 8, width) : default;
        Twin statistics = twins.Random(DType.Float32, 9, rows, isCentered ? 2 : 1);
        Twin scratch = twins.Scratch(Gpu.ScratchBytes(new RmsNormBackwardCall { X = xs.Gpu, DGain = xs.Gpu }), Cpu.ScratchBytes(new RmsNormBackwardCall { X = xs.Cpu, DGain = xs.Cpu }));
        if (isCentered)
        {
            Gpu.Run(new LayerNormCall(xs.Gpu, gain.Gpu, bias.Gpu, ys.Gpu, statistics.Gpu, 1e-3));
            Cpu.Run(new LayerNormCall(xs.Cpu, gain.Cpu, bias.Cpu, ys.Cpu, statistics.Cpu, 1e-3));
            Gpu.Run(new LayerNormBackwardCall(xs.Gpu, gain.Gpu, statistics.Gpu, dys.Gpu, dxs.Gpu, accumulate, dGain.Gpu, dBias.Gpu, scratch.Gpu));
            Cpu.Run(new LayerNormBackwardCall(xs.Cpu, gain.Cpu, statistics.Cpu, dys.Cpu, dxs.Cpu, accumulate, dGain.Cpu, dBias.Cpu, scratch.Cpu));
        }
        else
        {
            Gpu.Run(new RmsNormCall(xs.Gpu, gain.Gpu, ys.Gpu, statistics.Gpu, 1e-3));
            Cpu.Run(new RmsNormCall(xs.Cpu, gain.Cpu, ys.Cpu, statistics.Cpu, 1e-3));
            Gpu.Run(new RmsNormBackwardCall(xs.Gpu, gain.Gpu, statistics.Gpu, dys.Gpu, dxs.Gpu, accumulate, dGain.Gpu, scratch.Gpu));
            Cpu.Run(new RmsNormBackwardCall(xs.Cpu, gain.Cpu, statistics.Cpu, dys.Cpu, dxs.Cpu, accumulate, dGain.Cpu, scratch.Cpu));
        }

        string name = $"{(isCentered ? "layer" : "rms")} norm of {xs.Cpu}:";
        twins.AssertClose(statistics, 2e-6, $"{name} statistics");
        twins.AssertClose(y, tolerance, $"{name} y");
        twins.AssertClose(dx, Math.Max(tolerance, 5e-6), $"{name} dx", least: 0.1);
        if (isAffine)
        {
            twins.AssertClose(dGain, 5e-6, $"{name} dGain");
        }

        if (isAffine && isCentered)
        {
            twins.AssertClose(dBias, 5e-6, $"{name} dBias");
        }
    }
}
