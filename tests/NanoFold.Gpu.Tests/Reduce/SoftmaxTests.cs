using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Gpu.Tests.Reduce;

public class SoftmaxTests : GpuTests
{
    private static int Time => IsSimulated ? 5 : 300;

    [Test]
    public void Masks([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values(0, 1, 2, 3)] int kind)
    {
        using var twins = new Twins(Gpu, Cpu);
        int s = Time + 2;
        Twin x = twins.Random(type, 1, 2, 2, Time, s), y = twins.Random(type, 2, 2, 2, Time, s);
        Twin documents = twins.Integers([2, s], [.. Enumerable.Range(0, 2 * s).Select(i => i / 3)]);
        bool hasDocuments = kind == 3;
        Gpu.Softmax(x.Gpu, y.Gpu, 0.7, new Visible { Kind = kind > 0 ? VisibleKind.Causal : VisibleKind.Full, Window = kind > 1 ? 3 : 0, Sinks = kind > 1 ? 1 : 0, Documents = hasDocuments ? documents.Gpu : default });
        Cpu.Softmax(x.Cpu, y.Cpu, 0.7, new Visible { Kind = kind > 0 ? VisibleKind.Causal : VisibleKind.Full, Window = kind > 1 ? 3 : 0, Sinks = kind > 1 ? 1 : 0, Documents = hasDocuments ? documents.Cpu : default });
        twins.AssertClose(y, Twins.Tolerance(type));
    }

    [Test]
    public void PrefixesAndBlockTables([Values] VisibleKind kind, [Values(0, 3)] int window)
    {
        using var twins = new Twins(Gpu, Cpu);
        int s = Time + 2;
        Twin x = twins.Random(DType.Float32, 1, 2, 2, Time, s), y = twins.Random(DType.Float32, 2, 2, 2, Time, s), prefixes = twins.Integers([2], [3, 5]);
        int rows = (Time + 1) / 2;
        Twin lists = twins.Integers([4, rows, 2], [.. Enumerable.Range(0, 4 * rows).SelectMany(i => new[] { i % 2, 2 })]);
        Twin counts = twins.Integers([4, rows], [.. Enumerable.Range(0, 4 * rows).Select(i => i % 3)]);
        Gpu.Softmax(x.Gpu, y.Gpu, 0.7, Seen(prefixes.Gpu, lists.Gpu, counts.Gpu));
        Cpu.Softmax(x.Cpu, y.Cpu, 0.7, Seen(prefixes.Cpu, lists.Cpu, counts.Cpu));
        twins.AssertClose(y, Twins.Tolerance(DType.Float32));

        Visible Seen(View lengths, View blocks, View listed) => new()
        {
            Kind = kind,
            Window = window,
            Sinks = 1,
            Prefixes = kind == VisibleKind.Prefix ? lengths : default,
            Blocks = new BlockTable { Lists = blocks, Counts = listed, QuerySize = 2, KeySize = 3 },
        };
    }

    [Test]
    public void InPlaceAndStrided()
    {
        using var twins = new Twins(Gpu, Cpu);
        Twin x = twins.Random(DType.Float32, 1, 40, 3);
        Twin rows = x.Permute(1, 0).Slice(1, 2, 37);
        Gpu.Softmax(rows.Gpu, rows.Gpu, 1, default);
        Cpu.Softmax(rows.Cpu, rows.Cpu, 1, default);
        twins.AssertClose(x, 1e-5);
    }

    [Test]
    public void RowsWithoutAnythingToSeeAndWhatIsNotANumber()
    {
        using var twins = new Twins(Gpu, Cpu);
        const float Hidden = float.NegativeInfinity;
        Twin x = twins.New(DType.Float32, [3, 4], [Hidden, Hidden, Hidden, Hidden, 1, Hidden, 2, 3, 1, float.NaN, 2, 3]), y = twins.Random(DType.Float32, 1, 3, 4);
        Gpu.Softmax(x.Gpu, y.Gpu, 1, default);
        Cpu.Softmax(x.Cpu, y.Cpu, 1, default);
        twins.AssertClose(y, 1e-5);
        Twin tall = twins.Random(DType.Float32, 2, 3, 2);
        Gpu.Softmax(tall.Gpu, tall.Gpu, 1, Visible.Causal);
        Cpu.Softmax(tall.Cpu, tall.Cpu, 1, Visible.Causal);
        twins.AssertClose(tall, 1e-5, "more queries than keys");
    }

    [Test]
    public void Backward([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values] bool accumulate)
    {
        using var twins = new Twins(Gpu, Cpu);
        Twin y = twins.Random(type, 1, 3, Time), dy = twins.Random(type, 2, Time, 3).Permute(1, 0), dx = twins.Random(type, 3, 4, Time + 2);
        Twin part = dx.Slice(0, 1, 3).Slice(1, 1, Time);
        Gpu.SoftmaxBackward(y.Gpu, dy.Gpu, part.Gpu, 0.5, accumulate);
        Cpu.SoftmaxBackward(y.Cpu, dy.Cpu, part.Cpu, 0.5, accumulate);
        twins.AssertClose(dx, 2 * Twins.Tolerance(type));
    }
}
