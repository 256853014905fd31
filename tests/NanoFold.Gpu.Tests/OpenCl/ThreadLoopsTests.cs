using ILGPU;
using ILGPU.Runtime;
using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Gpu.OpenCl;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>Threads as loops, for processors.</summary>
[Category(OpenClDevice.Category)]
public sealed class ThreadLoopsTests
{
    private const string Kernel = """
        kernel void Kernel_Entry(
        	global float* view_0,
        	struct type_1_kernel var0)
        {
        	struct type_1 var1;
        	int var3;
        	int var4;
        	float var5;
        	float var6;
        	var1.field_0 = var0.field_0;
        	local float var2[256];


        	L_0: ;
        	var3 =  var1.field_0;
        	var4 =  get_local_id ( 0 );
        	var5 =  *  var9;
        	var6 = (float)((float) var5 +  (float)var5);
        	if (var3)
        		 goto L_2;
        	 goto L_1;

        	L_1: ;
        	 work_group_barrier ( CLK_GLOBAL_MEM_FENCE );
        	var7 =  & var2[var4];
        	 *  var7 =  var5;
        	 goto L_2;

        	L_2: ;
        	 return ;

        }
        """;

    [Test]
    public void WhatIsNeededAfterABarrierIsKeptForEachThread()
    {
        string made = ThreadLoops.Rewrite(Kernel);
        Assert.That(made, Does.Not.Contain("barrier"));
        Assert.That(made, Does.Contain("nf_var5[nf_thread] = var5;").And.Contain("var5 = nf_var5[nf_thread];"));
        Assert.That(made, Does.Not.Contain("nf_var6").And.Not.Contain("nf_var3"), "not needed, or the same for all threads");
    }

    [Test]
    public void AKernelThatIsWrittenOtherwiseIsNamed([Values("", "kernel void a() { }", "kernel void a()\n{\n\tL_0: ;\n\t goto L_1;\n}")] string source)
        => Assert.That(() => ThreadLoops.Rewrite(source), Throws.TypeOf<FormatException>());

    /// <summary>The loops that PoCL 3.1 makes itself are wrong here.</summary>
    [Test]
    public void SumsInBranchesThatAllThreadsTakeAreRight([Values(64, 256)] int threads, [Values(0, 2, 5)] int laneBits, [Values] bool hasTotals)
    {
        using GpuBackend backend = OpenClDevice.Open();
        GpuContext context = backend.Context;
        int lanes = 1 << laneBits, rows = 3 * threads / lanes;
        float[] x = [.. Enumerable.Range(0, rows * lanes).Select(i => (float)(i * i % 7))], y = new float[2 * lanes];
        using MemoryBuffer1D<float, Stride1D.Dense> from = context.Accelerator.Allocate1D(x), to = context.Accelerator.Allocate1D(y);
        context.Launch(
            new BranchSumWork
            {
                X = from.View.AsContiguous(), Y = to.View.AsContiguous(), Rows = rows, Width = y.Length, LaneBits = laneBits, HasTotals = hasTotals ? 1 : 0, HasSums = 1,
            },
            1, threads);
        context.Stream.Synchronize();
        to.CopyToCPU(y);
        float[] expected = new float[2 * lanes];
        for (int i = 0; i < x.Length; i++)
        {
            int row = i / lanes;
            float value = x[i] - (hasTotals ? x[(row * lanes)..((row + 1) * lanes)].Sum() : 0);
            expected[i % lanes] += value + 1000;
            expected[lanes + i % lanes] += row * value + 1000;
        }

        Assert.That(y, Is.EqualTo(expected));
    }
}
