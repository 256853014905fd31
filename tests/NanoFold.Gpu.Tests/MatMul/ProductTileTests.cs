using NanoFold.Kernels;
using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.MatMul;

namespace NanoFold.Gpu.Tests.MatMul;

/// <summary>Tiles need 256 threads a group: more than the tests' simulator has. One that has them runs few of them.</summary>
public class ProductTileTests : GpuTests
{
    private GpuBackend _wide = null!;

    [OneTimeSetUp]
    public void OpenWide() => _wide = IsSimulated ? GpuDevices.OpenSimulator(threads: ProductTile.Threads) : OpenDevice();

    [OneTimeTearDown]
    public void CloseWide() => _wide.Dispose();

    [TestCase(false, false)]
    [TestCase(true, true)]
    public void EdgesAndTransposes(bool transposeA, bool transposeB)
    {
        using var twins = new Twins(_wide, Cpu);
        const int M = 67, N = 33, K = 19;
        Twin a = transposeA ? twins.Random(DType.Float32, 1, K, M) : twins.Random(DType.Float32, 1, M, K);
        Twin b = transposeB ? twins.Random(DType.Float32, 2, N, K) : twins.Random(DType.Float32, 2, K, N);
        Twin y = twins.Random(DType.Float32, 3, M, N + 2);
        Twin part = y.Slice(1, 1, N);
        new PortableMatMul(_wide.Context, tilesOnly: true).MatMul<F32, F32>(new MatMulArgs { A = a.Gpu, B = b.Gpu, Y = part.Gpu, TransposeA = transposeA, TransposeB = transposeB });
        Cpu.MatMul(new MatMulArgs { A = a.Cpu, B = b.Cpu, Y = part.Cpu, TransposeA = transposeA, TransposeB = transposeB });
        twins.AssertClose(y, 1e-5);
    }

    [Test]
    public void GroupsOfRows()
    {
        using var twins = new Twins(_wide, Cpu);
        Twin offsets = twins.Integers([4], [0, 66, 66, 70]);
        Twin a = twins.Random(DType.BFloat16, 1, 72, 18), b = twins.Random(DType.BFloat16, 2, 3, 20, 18), y = twins.Random(DType.Float32, 3, 72, 20);
        var matMul = new PortableMatMul(_wide.Context, tilesOnly: true);
        matMul.GroupedMatMul<BF16, F32>(new GroupedMatMulArgs { A = a.Gpu, B = b.Gpu, Y = y.Gpu, Offsets = offsets.Gpu, TransposeB = true });
        Cpu.GroupedMatMul(new GroupedMatMulArgs { A = a.Cpu, B = b.Cpu, Y = y.Cpu, Offsets = offsets.Cpu, TransposeB = true });
        twins.AssertClose(y, 1e-5);
        Twin rows = twins.Random(DType.BFloat16, 4, 72, 20), w = twins.Random(DType.Float32, 5, 3, 18, 20);
        matMul.GroupedMatMul<BF16, F32>(new GroupedMatMulArgs { A = a.Gpu, B = rows.Gpu, Y = w.Gpu, Offsets = offsets.Gpu, PerGroupOutput = true });
        Cpu.GroupedMatMul(new GroupedMatMulArgs { A = a.Cpu, B = rows.Cpu, Y = w.Cpu, Offsets = offsets.Cpu, PerGroupOutput = true });
        twins.AssertClose(w, 1e-5);
    }
}
