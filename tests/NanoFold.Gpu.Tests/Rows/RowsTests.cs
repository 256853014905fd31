using NanoFold.Kernels;

namespace NanoFold.Gpu.Tests.Rows;

public class RowsTests : GpuTests
{
    [Test]
    public void Gather([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values] bool accumulate)
    {
        foreach (int width in new[] { 5, 8 })
        {
            using var twins = new Twins(Gpu, Cpu);
            Twin table = twins.Random(type, 1, 6, width), ids = twins.Integers([2, 3], [5, -1, 0, 3, 3, 1]);
            Twin y = twins.Random(type, 2, 2, 4, width), rows = y.Slice(1, 1, 3);
            Gpu.Gather(table.Gpu, ids.Gpu, rows.Gpu, accumulate);
            Cpu.Gather(table.Cpu, ids.Cpu, rows.Cpu, accumulate);
            twins.AssertClose(y, Twins.Tolerance(type));
        }
    }

    // Tables whose columns are strided have their ids sorted; rows of others are looked for.
    [Test]
    public void RowsAreAddedWhereTheirIdsSay([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values] bool sums, [Values] bool isSorted)
    {
        using var twins = new Twins(Gpu, Cpu);

        // Rows of one id in one chunk, in two, and in many; ids of no row; a table of more rows than one digit counts, or than there are ids.
        foreach ((int count, int tableRows, Func<int, int> id) in new (int, int, Func<int, int>)[]
        {
            (1, 2, _ => 1), (3, 2, _ => -1), (40, 700, i => i * i * 37 % 701 - 1), (64, 1, _ => 0),
            (IsSimulated ? 300 : 5000, 20, i => i % 9 == 0 ? -1 : i % 5 == 0 ? i % 20 : 7), (IsSimulated ? 110 : 3000, 4000, i => i * i % 37),
        })
        {
            foreach (int width in IsSimulated ? [3, 8] : new[] { 3, 200, 384 })
            {
                Twin x = twins.Random(type, 1, count, 2, width).Slice(1, 1, 1), ids = twins.Integers([count], [.. Enumerable.Range(0, count).Select(id)]);
                Twin all = isSorted ? twins.Random(sums ? DType.Float32 : type, 2, width, tableRows) : twins.Random(sums ? DType.Float32 : type, 2, tableRows, width + 4);
                Twin table = isSorted ? all.Permute(1, 0) : all.Slice(1, 0, width);
                Gpu.ScatterAdd(x.Gpu, ids.Gpu, table.Gpu);
                Cpu.ScatterAdd(x.Cpu, ids.Cpu, table.Cpu);
                twins.AssertClose(all, sums ? 1e-5 : Twins.Tolerance(type), $"{count} rows of {width}");
            }
        }

        Assert.That(Gpu.Context.Works.Any(w => w.Name.StartsWith(isSorted ? "ScatterChunk" : "ScatterList", StringComparison.Ordinal)));
    }

    [Test]
    public void TheLargestOfEachRowComeFirst([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type)
    {
        int[][] sizes = [[3, 6, 2], [2, 20, 12], [1, 130, 5], .. IsSimulated ? Array.Empty<int[]>() : [[4, 1000, 256], [2, 50257, 200], [3000, 64, 8], [2, 5000, 1500], [3, 2048, 1024]]];
        foreach (int[] size in sizes)
        {
            using var twins = new Twins(Gpu, Cpu);

            // Many equal values, so that indices decide; some are not numbers, infinite, or negative zeros.
            var random = new Random(1);
            float[] values = [.. Enumerable.Range(0, size[0] * size[1]).Select(i => i % 11 == 3 ? float.NaN : i % 13 == 5 ? float.NegativeInfinity : random.Next(-9, 9) * 0.5f)];
            Twin x = twins.New(type, [size[0], size[1]], values), y = twins.Random(type, 2, size[0], size[2] + 1);
            Twin indices = twins.Integers([size[2], size[0]], new int[size[0] * size[2]]);
            Gpu.TopK(x.Gpu, y.Slice(1, 1, size[2]).Gpu, indices.Permute(1, 0).Gpu);
            Cpu.TopK(x.Cpu, y.Slice(1, 1, size[2]).Cpu, indices.Permute(1, 0).Cpu);
            twins.AssertSame(indices, $"{size[0]} x {size[1]}, {size[2]}");
            twins.AssertSame(y);
        }
    }

    [Test]
    public void TopKDropsWhatIsSmallManyTimes()
    {
        // Ascending, so that all elements are kept at first: more than there is room for.
        using var twins = new Twins(Gpu, Cpu);
        int width = IsSimulated ? 2100 : 20000;
        Twin x = twins.New(DType.Float32, [1, width], [.. Enumerable.Range(0, width).Select(i => (float)i)]), y = twins.Random(DType.Float32, 2, 1, 10);
        Twin indices = twins.Integers([1, 10], new int[10]);
        Gpu.TopK(x.Gpu, y.Gpu, indices.Gpu);
        Cpu.TopK(x.Cpu, y.Cpu, indices.Cpu);
        twins.AssertSame(indices);
        twins.AssertSame(y);
    }

    [Test]
    public void Dropout([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values] bool accumulate)
    {
        foreach (StepState state in new[] { GpuState, CpuState })
        {
            state.Set(StepSlot.RandomKey, 0x1234_5678_9abc_def0);
            state.Set(StepSlot.Step, 7L);
            state.Set(StepSlot.MicroBatch, 2L);
        }

        using var twins = new Twins(Gpu, Cpu);
        foreach (int[] shape in new int[][] { [6, 8], [3, 7] })
        {
            Twin x = twins.Random(type, 1, shape), y = twins.Random(type, 2, shape), z = twins.Random(type, 3, shape[1], shape[0] + 1), part = z.Permute(1, 0).Slice(0, 1, shape[0]);
            foreach ((Twin from, Twin to, Twin all) in new[] { (x, y, y), (x, part, z) })
            {
                Gpu.Dropout(GpuState, from.Gpu, to.Gpu, 0.3, 5, accumulate);
                Cpu.Dropout(CpuState, from.Cpu, to.Cpu, 0.3, 5, accumulate);
                twins.AssertClose(all, Twins.Tolerance(type));
                Assert.That(accumulate || twins.Read(all).Contains(0f));
            }
        }
    }
}
