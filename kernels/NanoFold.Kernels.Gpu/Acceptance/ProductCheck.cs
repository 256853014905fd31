using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>
/// Products by warpgroups, and by warps, of small integers in every layout, with whole tiles and with edges, by warpgroups also in clusters of two blocks: every element is one exact number. Memory of the result begins as no
/// number, and what lies between its rows must stay so. Each runs with bounded waits first, then three times as it is used, and the bits must be the same.
/// </summary>
internal static class ProductCheck
{
    private const int Runs = 3;

    public static IEnumerable<CardCheck> All =>
        from kernel in new (GemmFamily Family, int Cluster)[] { (GemmFamily.Mma, 1), (GemmFamily.Wgmma, 1), (GemmFamily.Wgmma, 2) }
        from columnsA in new[] { false, true }
        from columnsB in new[] { false, true }
        from size in new[] { (M: 256, N: 256, K: 192, PadY: 0), (M: 152, N: 200, K: 264, PadY: 8), (M: 72, N: 88, K: 40, PadY: 1) }
        from output in new[] { GpuType.BFloat16, GpuType.Float32 }
        select new CardCheck(
            $"product-{kernel.Family}{(kernel.Cluster > 1 ? $"-c{kernel.Cluster}" : "")}-{(columnsA ? 't' : 'n')}{(columnsB ? 't' : 'n')}-{size.M}x{size.N}x{size.K}-to-{(output == GpuType.Float32 ? "f32" : "bf16")}".ToLowerInvariant(),
            kernel.Family == GemmFamily.Wgmma ? WgmmaGemm.Architecture : 80,
            device => Run(device, kernel, columnsA, columnsB, size, output));

    private static CheckResult Run(ICheckDevice device, (GemmFamily Family, int Cluster) kernel, bool columnsA, bool columnsB, (int M, int N, int K, int PadY) size, GpuType output)
    {
        (long a, long strideA) = SmallIntegers.Put(device, GpuType.BFloat16, 0, size.M, size.K, !columnsA, pad: 8);
        (long b, long strideB) = SmallIntegers.Put(device, GpuType.BFloat16, 1, size.N, size.K, columnsB, pad: 0);
        int strideY = size.N + size.PadY, bytes = size.M * strideY * output.Size();
        var problem = new GemmProblem
        {
            A = a, B = b, StrideA = strideA, StrideB = strideB, StrideY = strideY * output.Size(), M = size.M, N = size.N, K = size.K, OuterCount = 1, InnerCount = 1,
            Input = GpuType.BFloat16, Output = output, ColumnsA = columnsA, ColumnsB = columnsB, Alpha = 1,
        };
        byte[] expected = Expected(size, strideY, output);
        byte[] got = [];
        for (int run = 0; run <= Runs; run++)
        {
            device.IsWatched = run == 0;
            problem.Y = device.Allocate(bytes);
            GemmRun.Run(device, problem, new GemmChoice(kernel.Family, Tile(kernel, problem)));
            got = new byte[bytes];
            device.Read(problem.Y, got);
            if (!got.AsSpan().SequenceEqual(expected))
            {
                break;
            }
        }

        return new CheckResult(expected, got);
    }

    private static GemmTile Tile((GemmFamily Family, int Cluster) kernel, in GemmProblem problem)
    {
        GemmSpec spec = WgmmaGemm.Spec(problem);
        return kernel.Family == GemmFamily.Mma ? GemmTiles.Mma[2] : (kernel.Cluster > 1 ? GemmTiles.Clusters : GemmTiles.Wgmma).First(t => WgmmaGemm.SharedBytes(spec, t) <= 227 * 1024);
    }

    private static byte[] Expected((int M, int N, int K, int PadY) size, int stride, GpuType output)
    {
        var values = new byte[size.M * stride * output.Size()];
        Array.Fill(values, (byte)255);
        Span<float> singles = MemoryMarshal.Cast<byte, float>(values.AsSpan());
        Span<ushort> halves = MemoryMarshal.Cast<byte, ushort>(values.AsSpan());
        for (int i = 0; i < size.M; i++)
        {
            for (int j = 0; j < size.N; j++)
            {
                int sum = 0;
                for (int k = 0; k < size.K; k++)
                {
                    sum += SmallIntegers.At(0, i, k) * SmallIntegers.At(1, j, k);
                }

                int at = i * stride + j;
                if (output == GpuType.Float32)
                {
                    singles[at] = sum;
                }
                else
                {
                    halves[at] = SmallIntegers.Bits(output, sum);
                }
            }
        }

        return values;
    }
}
