using System.Diagnostics;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm.Wgmma;

/// <summary>What NVIDIA's assembler says of products by warpgroups, where there is one: no error, nothing spilled, no products that wait for one another (C75xx).</summary>
[Category("Long")]
internal sealed class WgmmaAssemblyTests
{
    private static readonly string? s_assembler = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(folder => Path.Combine(folder, "ptxas")).FirstOrDefault(File.Exists);

    [TestCaseSource(nameof(Programs))]
    public void TheAssemblerIsContent(string name, Func<string> write)
    {
        if (s_assembler is null)
        {
            Assert.Ignore("ptxas is not on the PATH");
        }

        string folder = Directory.CreateTempSubdirectory("nanofold-ptx-").FullName;
        try
        {
            string source = Path.Combine(folder, "program.ptx");
            File.WriteAllText(source, write());
            string said = Assemble(source);
            Assert.That(said, Does.Contain(" 0 bytes spill stores").And.Not.Contain("C75").And.Not.Contain("error"), name);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Assemble(string source)
    {
        var start = new ProcessStartInfo(s_assembler!, ["-arch=sm_90a", "-v", source, "-o", Path.ChangeExtension(source, ".cubin")]) { RedirectStandardError = true, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string said = process.StandardError.ReadToEnd() + output.GetAwaiter().GetResult();
        process.WaitForExit();
        return said;
    }

    private static IEnumerable<TestCaseData> Programs()
        => from tile in GemmTiles.Wgmma
           from layout in ((bool A, bool B)[])[(false, true), (true, false)]
           from output in new[] { GpuType.BFloat16, GpuType.Float32 }
           from wide in new[] { true, false }
           from extra in ((bool Bias, bool Residual, bool Accumulate)[])[(false, false, false), (true, true, false), (true, true, true)]
           let spec = new GemmSpec
           {
               Input = GpuType.BFloat16, Output = output, ColumnsA = layout.A, ColumnsB = layout.B, AlignA = 16, AlignB = 16, WideY = wide,
               Bias = extra.Bias ? GpuType.Float32 : null, Residual = extra.Residual ? output : null, Accumulate = extra.Accumulate,
           }
           where new WgmmaLayout(spec, tile).SharedBytes <= 227 * 1024
           let name = $"{new GemmKernelKey(GemmFamily.Wgmma, spec, tile).Name} {output}{(wide ? " wide" : "")}{(extra.Bias ? " bias" : "")}{(extra.Residual ? " residual" : "")}{(extra.Accumulate ? " accumulate" : "")}"
           select new TestCaseData(name, (Func<string>)(() => WgmmaGemm.Write(spec, tile).Text)).SetArgDisplayNames(name);
}
