using System.Diagnostics;
using System.Text.RegularExpressions;
using NanoFold.Kernels.Gpu.Attention.Flash.Hopper;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Attention.Hopper;

/// <summary>
/// That attention by warpgroups waits for a product after the exponentials that it runs beside (forward that of the last weights and values, backward that of values and dy): in the text, and in what NVIDIA's
/// assembler makes of it, which may move the wait before them, so that nothing overlaps.
/// </summary>
[Parallelizable]
internal sealed partial class HopperOverlapTests
{
    [Test]
    public void TheTextWaitsAfterTheExponentials([Values(64, 128)] int depth, [Values] bool isBackward)
    {
        (string text, int exponentials) = Program(depth, isBackward);
        AssertOverlap(Steps(text, TextStep()), exponentials);
    }

    [Test]
    public void TheCodeWaitsAfterTheExponentials([Values(64, 128)] int depth, [Values] bool isBackward)
    {
        PtxAssembler? assembler = PtxAssembler.Find(out string? reason);
        string? disassembler = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Where(folder => folder.Length > 0).Select(folder => Path.Combine(folder, "nvdisasm")).FirstOrDefault(File.Exists);
        if (assembler is null || disassembler is null)
        {
            Assert.Ignore(reason ?? "nvdisasm is not on the PATH: it comes with the CUDA toolkit");
        }

        (string text, int exponentials) = Program(depth, isBackward);
        DirectoryInfo folder = Directory.CreateTempSubdirectory("nanofold-sass-");
        try
        {
            string file = Path.Combine(folder.FullName, "attention.ptx"), code = Path.Combine(folder.FullName, "attention.cubin");
            File.WriteAllText(file, text);
            Assert.That(assembler.Assemble(file, "sm_90a", code).Error, Is.Null);
            AssertOverlap(Steps(Disassemble(disassembler, code), CodeStep()), exponentials / 2);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The text, and the exponentials of a thread in a step.</summary>
    private static (string Text, int Exponentials) Program(int depth, bool isBackward)
    {
        HopperSpec forward = HopperSpec.Of(GpuType.BFloat16, depth, hasPrefix: false, documents: false);
        HopperGradientSpec backward = HopperGradientSpec.Of(GpuType.BFloat16, depth, hasPrefix: false, documents: false);
        return isBackward ? (HopperGradients.Write(backward).Text, backward.Queries / 2) : (HopperForward.Write(forward).Text, forward.Columns / 2);
    }

    /// <summary>Somewhere a wait for all but the newest product is followed by so many exponentials, and only then by a wait for all.</summary>
    private static void AssertOverlap(string steps, int least)
        => Assert.That(Overlap().Matches(steps).Select(match => match.Groups["e"].Length).DefaultIfEmpty().Max(), Is.GreaterThanOrEqualTo(least), steps);

    /// <summary>In order: 1 and 0 for waits until so many products are under way, e for an exponential.</summary>
    private static string Steps(string text, Regex step)
        => string.Concat(step.Matches(text).Select(match => match.Groups["n"].Success ? match.Groups["n"].Value : "e"));

    private static string Disassemble(string disassembler, string code)
    {
        using Process process = Process.Start(new ProcessStartInfo(disassembler, ["-c", code]) { RedirectStandardOutput = true })!;
        string text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return text;
    }

    [GeneratedRegex(@"wgmma\.wait_group\.sync\.aligned (?<n>\d)|ex2\.approx")]
    private static partial Regex TextStep();

    [GeneratedRegex(@"WARPGROUP\.DEPBAR\.LE gsb0, 0x(?<n>\d)|MUFU\.EX2")]
    private static partial Regex CodeStep();

    [GeneratedRegex("1(?<e>e+)0")]
    private static partial Regex Overlap();
}
