using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Cpu.Time;

/// <summary>Scans, convolutions and recurrent cells of the CPU where the op suite does not look: decoding in chunks, and what a call refuses.</summary>
public sealed class TimeTests : EngineTests
{
    private static readonly DType[] s_types = [DType.Float32, DType.Float64];

    [TestCaseSource(nameof(s_types))]
    public void AScanInChunksIsTheWholeScan(DType type)
    {
        foreach (bool hasInitial in new[] { false, true })
        {
            using var walk = new ChunkedWalk(Backend(threads: 2), type);
            walk.AssertScan(67, hasInitial);
        }
    }

    [TestCaseSource(nameof(s_types))]
    public void AMaximumInChunksIsTheWholeOne(DType type)
    {
        using var walk = new ChunkedWalk(Backend(threads: 2), type);
        walk.AssertMaxScan(67);
    }

    [TestCaseSource(nameof(s_types))]
    public void AWeightedMeanInChunksIsTheWholeOne(DType type)
    {
        using var walk = new ChunkedWalk(Backend(threads: 2), type);
        walk.AssertWkv(67);
    }

    [TestCaseSource(nameof(s_types))]
    public void AConvolutionInChunksIsTheWholeConvolution(DType type)
    {
        foreach (int taps in new[] { 1, 2, 4, 9, 14 })
        {
            using var walk = new ChunkedWalk(Backend(threads: 2), type);
            walk.AssertConvolution(67, taps);
        }
    }

    [TestCaseSource(nameof(s_types))]
    public void ARecurrentCellInChunksIsTheWholeWalk(DType type)
    {
        foreach ((int width, int depth, bool hasInitial) in new[] { (35, 35, false), (12, 4, true), (1, 1, true) })
        {
            using var walk = new ChunkedWalk(Backend(threads: 2), type);
            walk.AssertRecurrent<Rnn>(width, depth, hasInitial);
            walk.AssertRecurrent<Gru>(width, depth, hasInitial);
            walk.AssertRecurrent<Lstm>(width, depth, hasInitial);
        }
    }

    [Test]
    public void ACallSaysWhatItExpected()
    {
        CpuBackend backend = Backend();
        View x = View.OfShape(Layout.Of(2, 3, 6), DType.Float32), state = View.OfShape(Layout.Of(2, 6), DType.Float32);
        var scan = new ScanCall { A = x, X = x, H = x };
        Assert.That(() => backend.Require<ScanCall>().Run(scan with { Final = View.OfShape(Layout.Of(2, 5), DType.Float32) }),
            Throws.ArgumentException.With.Message.EqualTo("scan: final is Float32[2, 5], expected 12 contiguous elements of Float32"));
        Assert.That(() => backend.Require<ScanCall>().Run(scan with { A = View.OfShape(Layout.Of(2, 4, 6), DType.Float32) }),
            Throws.ArgumentException.With.Message.EqualTo("scan: a is Float32[2, 4, 6], expected a shape that broadcasts to Float32[2, 3, 6]"));
        var convolution = new ConvolutionCall { X = x, Weight = View.OfShape(Layout.Of(6, 4), DType.Float32), Y = x };
        Assert.That(() => backend.Require<ConvolutionCall>().Run(convolution with { Weight = View.OfShape(Layout.Of(5, 4), DType.Float32) }),
            Throws.ArgumentException.With.Message.EqualTo("convolution: weight is Float32[5, 4], expected Float32[6, K], contiguous"));
        Assert.That(() => backend.Require<ConvolutionCall>().Run(convolution with { State = state }),
            Throws.ArgumentException.With.Message.EqualTo("convolution: state is Float32[2, 6], expected 36 contiguous elements of Float32"));
        var gru = new RecurrentCall<Gru> { X = x, Weight = View.OfShape(Layout.Of(6, 2), DType.Float32), H = View.OfShape(Layout.Of(2, 3, 2), DType.Float32) };
        Assert.That(() => backend.Require<RecurrentCall<Gru>>().Run(gru with { Weight = View.OfShape(Layout.Of(6, 4), DType.Float32) }),
            Throws.ArgumentException.With.Message.EqualTo("gru: weight is Float32[6, 4], expected Float32[6, D], contiguous, D a divisor of 2"));
        Assert.That(() => backend.Require<RecurrentCall<Gru>>().Run(gru with { X = state }), Throws.ArgumentException.With.Message.EqualTo("gru: x is Float32[2, 6], expected 3 dimensions"));
    }
}
