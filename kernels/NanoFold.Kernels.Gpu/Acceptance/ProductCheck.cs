using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>
/// Products by warpgroups, and by warps, of small integers in every layout, with whole tiles and with edges, by warpgroups also in clusters of two blocks, and with depths that are split: every element is one exact number. Memory of the result begins as no
/// number, and what lies between its rows must stay so. Each runs with bounded waits first, then three times as it is used, and the bits must be the same.
/// </summary>
internal static class ProductCheck
{
    private const int Runs = 3;

    private static readonly (int M, int N, int K, int PadY)[] s_sizes = [(256, 256, 192, 0), (152, 200, 264, 8), (72, 88, 40, 1)];

    private static readonly GpuType[] s_outputs = [GpuType.BFloat16, GpuType.Float32];

    public static IEnumerable<CardCheck> All =>
    [
        .. from kernel in new Kernel[] { new(GemmFamily.Mma), new(GemmFamily.Wgmma), new(GemmFamily.Wgmma, Cluster: 2) }
           from columnsA in new[] { false, true }
           from columnsB in new[] { false, true }
           from size in s_sizes
           from output in s_outputs
           select Of(kernel, columnsA, columnsB, size, output),
        .. from kernel in new Kernel[] { new(GemmFamily.Mma, Slices: 3), new(GemmFamily.Wgmma, Slices: 3), new(GemmFamily.Wgmma, IsStream: true) }
           from output in s_outputs
           select Of(kernel, columnsA: false, columnsB: true, s_sizes[1], output),
    ];

    private static CardCheck Of(Kernel kernel, bool columnsA, bool columnsB, (int M, int N, int K, int PadY) size, GpuType output) => new(
        $"product-{kernel}-{(columnsA ? 't' : 'n')}{(columnsB ? 't' : 'n')}-{size.M}x{size.N}x{size.K}-to-{(output == GpuType.Float32 ? "f32" : "bf16")}".ToLowerInvariant(),
        kernel.Family == GemmFamily.Wgmma ? WgmmaGemm.Architecture : 80,
        device => Run(device, kernel, columnsA, columnsB, size, output));

    private static CheckResult Run(ICheckDevice device, Kernel kernel, bool columnsA, bool columnsB, (int M, int N, int K, int PadY) size, GpuType output)
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
            GemmRun.Run(device, problem, new GemmChoice(kernel.Family, Tile(kernel, problem), kernel.Slices));
            got = new byte[bytes];
            device.Read(problem.Y, got);
            if (!got.AsSpan().SequenceEqual(expected))
            {
                break;
            }
        }

        return new CheckResult(expected, got);
    }

    private static GemmTile Tile(Kernel kernel, in GemmProblem problem)
    {
        GemmSpec spec = WgmmaGemm.Spec(problem);
        GemmTile tile = kernel.Family == GemmFamily.Mma ? GemmTiles.Mma[2] : GemmTiles.Wgmma.First(t => WgmmaGemm.SharedBytes(spec with { Mode = GemmMode.SumSlices }, t) <= 227 * 1024);
        return tile with { Cluster = kernel.Cluster, IsStream = kernel.IsStream };
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

    private readonly record struct Kernel(GemmFamily Family, int Cluster = 1, int Slices = 1, bool IsStream = false)
    {
        public override string ToString() => $"{Family}{(Cluster > 1 ? $"-c{Cluster}" : "")}{(Slices > 1 ? $"-k{Slices}" : "")}{(IsStream ? "-stream" : "")}";
    }
}
