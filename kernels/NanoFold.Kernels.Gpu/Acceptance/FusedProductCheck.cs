using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>
/// Products by warps and by warpgroups that do more than a product where they end, of small integers. Heads turned by quarters: each result is one exact number. Sums of rows: the largest result of a part of a
/// row is exact, the sum of exponentials beside it near.
/// </summary>
internal static class FusedProductCheck
{
    private const int M = 152, N = 200, K = 72, HeadDim = 64, Turned = 2 * HeadDim, Time = 50;

    private static readonly (string Prefix, int Architecture, GemmChoice Choice)[] s_kernels =
    [
        ("", 80, new(GemmFamily.Mma, GemmTiles.Mma[2])), ("wgmma-", WgmmaGemm.Architecture, new(GemmFamily.Wgmma, GemmTiles.Wgmma[^1])),
    ];

    public static IEnumerable<CardCheck> All =>
    [
        .. from kernel in s_kernels
           from interleaved in new[] { false, true }
           select new CardCheck($"product-{kernel.Prefix}turned-{(interleaved ? "neighbors" : "halves")}", kernel.Architecture, device => Rotated(device, kernel.Choice, interleaved)),
        .. s_kernels.Select(kernel => new CardCheck($"product-{kernel.Prefix}row-sums", kernel.Architecture, device => RowSums(device, kernel.Choice))),
    ];

    private static CheckResult Rotated(ICheckDevice device, GemmChoice choice, bool interleaved)
    {
        // Of position p and pair i, p + i quarters.
        var table = new float[Time * HeadDim];
        for (int i = 0; i < table.Length; i++)
        {
            int pair = i % HeadDim % (HeadDim / 2), quarter = ((i / HeadDim) + pair) % 4;
            table[i] = i % HeadDim < HeadDim / 2 ? Cosine(quarter) : Cosine((quarter + 3) % 4);
        }

        GemmProblem problem = Problem(device);
        (problem.Rotation, problem.Table, problem.StrideTable) = (new GemmRotation(HeadDim, HeadDim, interleaved, HasPositions: false), device.Allocate(table.Length * sizeof(float)), HeadDim * sizeof(float));
        (problem.Time, problem.LastPosition, problem.TurnedColumns) = (Time, Time - 1, Turned);
        device.Write(problem.Table, MemoryMarshal.AsBytes<float>(table));
        GemmRun.Run(device, problem, choice);
        var words = new ushort[M * N];
        device.Read(problem.Y, MemoryMarshal.AsBytes(words.AsSpan()));

        // Two zeros of either sign are equal.
        float[] expected = [.. Enumerable.Range(0, M * N).Select(i => Float(SmallIntegers.Bits(GpuType.BFloat16, Expected(i / N, i % N, interleaved))))];
        return CheckResult.Near(expected, [.. words.Select(Float)], 0);
    }

    private static CheckResult RowSums(ICheckDevice device, GemmChoice choice)
    {
        GemmTile tile = choice.Tile;
        int parts = GemmRowSums.Parts(tile, N);
        GemmProblem problem = Problem(device);
        (problem.SumsRows, problem.RowSums) = (true, device.Allocate(2L * sizeof(float) * M * parts));
        GemmRun.Run(device, problem, choice);
        float[] expected = new float[2 * M * parts], got = new float[2 * M * parts];
        for (int i = 0; i < M * parts; i++)
        {
            int first = i % parts * tile.WarpN, count = Math.Clamp(N - first, 0, tile.WarpN);
            float[] own = [.. Enumerable.Range(first, count).Select(j => Float(SmallIntegers.Bits(GpuType.BFloat16, Sum(i / parts, j))))];
            expected[2 * i] = own.Length == 0 ? GemmRowSums.Least : own.Max();
            expected[(2 * i) + 1] = own.Sum(value => MathF.Exp(value - own.Max()));
        }

        device.Read(problem.RowSums, MemoryMarshal.AsBytes(got.AsSpan()));
        return CheckResult.Near(expected, got, 1e-5f);
    }

    private static GemmProblem Problem(ICheckDevice device)
    {
        (long a, long strideA) = SmallIntegers.Put(device, GpuType.BFloat16, 0, M, K, alongDepth: true, pad: 8);
        (long b, long strideB) = SmallIntegers.Put(device, GpuType.BFloat16, 1, N, K, alongDepth: true, pad: 0);
        return new GemmProblem
        {
            A = a, B = b, Y = device.Allocate(M * N * sizeof(ushort)), StrideA = strideA, StrideB = strideB, StrideY = N * sizeof(ushort), M = M, N = N, K = K, OuterCount = 1, InnerCount = 1,
            Input = GpuType.BFloat16, Output = GpuType.BFloat16, ColumnsB = true, Alpha = 1,
        };
    }

    private static int Expected(int row, int column, bool interleaved)
    {
        const int Half = HeadDim / 2;
        if (column >= Turned)
        {
            return Sum(row, column);
        }

        int inHead = column % HeadDim, pair = interleaved ? inHead / 2 : inHead % Half, quarter = ((row % Time) + pair) % 4;
        bool isSecond = interleaved ? inHead % 2 == 1 : inHead >= Half;
        int first = column - (isSecond ? interleaved ? 1 : Half : 0), a = Sum(row, first), b = Sum(row, first + (interleaved ? 1 : Half));
        int cos = (int)Cosine(quarter), sin = (int)Cosine((quarter + 3) % 4);
        return isSecond ? (a * sin) + (b * cos) : (a * cos) - (b * sin);
    }

    private static int Sum(int row, int column)
    {
        int sum = 0;
        for (int k = 0; k < K; k++)
        {
            sum += SmallIntegers.At(0, row, k) * SmallIntegers.At(1, column, k);
        }

        return sum;
    }

    private static float Float(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    private static float Cosine(int quarter) => quarter switch { 0 => 1, 2 => -1, _ => 0 };
}
