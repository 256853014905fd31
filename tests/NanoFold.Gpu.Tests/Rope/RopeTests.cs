using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Rope;

public class RopeTests : GpuTests
{
    [Test]
    public void TurnsAsTheCpuDoes(
        [Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type, [Values] bool interleaved, [Values] bool inverse, [Values] bool accumulate, [Values] bool hasPositions)
    {
        double tolerance = type switch { DType.Float32 => 1e-6, DType.BFloat16 => 1e-2, _ => 2e-3 };
        int[][] shapes = IsSimulated ? [[2, 3, 2, 2], [2, 3, 3, 10], [1, 4, 2, 16]] : [[2, 3, 3, 10], [3, 100, 4, 64], [2, 257, 12, 128]];
        foreach (int[] shape in shapes)
        {
            using var twins = new Twins(Gpu, Cpu);
            (int batch, int time, int heads, int width) = (shape[0], shape[1], shape[2], shape[3]);
            // Queries within rows of queries, keys and values.
            Twin x = twins.Random(type, 1, batch, time, 3 * heads * width), y = twins.Random(type, 2, batch, time, 3 * heads * width);
            Twin table = twins.Random(DType.Float32, 3, time + 2, width);
            Twin positions = hasPositions ? twins.Integers([batch], [.. Enumerable.Range(0, batch).Select(b => 3 * b)]) : default;
            Twin from = Part(x, heads * width, heads), to = Part(y, heads * width, heads);
            Gpu.Run(new RopeCall(from.Gpu, to.Gpu, table.Gpu, positions.Gpu, interleaved, inverse, accumulate));
            Cpu.Run(new RopeCall(from.Cpu, to.Cpu, table.Cpu, positions.Cpu, interleaved, inverse, accumulate));
            twins.AssertClose(y, tolerance, "y");

            Gpu.Run(new RopeCall(from.Gpu, from.Gpu, table.Gpu, positions.Gpu, interleaved, inverse, Accumulate: false));
            Cpu.Run(new RopeCall(from.Cpu, from.Cpu, table.Cpu, positions.Cpu, interleaved, inverse, Accumulate: false));
            twins.AssertClose(x, tolerance, "x in place");
        }
    }

    private static Twin Part(in Twin x, int start, int heads) =>
        x.With(x.Cpu.Layout.Slice(2, start, x.Cpu.Layout[2] / 3, out long offset).SplitLast(heads), offset);
}
