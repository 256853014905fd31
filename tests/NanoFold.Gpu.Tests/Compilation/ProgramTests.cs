using System.Text.RegularExpressions;
using NanoFold.Engine.Ops;
using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels.Gpu.Ptx;
using NanoFold.Kernels.Gpu.Ptx.Lint;

namespace NanoFold.Gpu.Tests.Compilation;

/// <summary>Every program of CUDA devices, by its text.</summary>
[Parallelizable]
public sealed partial class ProgramTests
{
    /// <summary>What a block of the smallest device with tensor cores (8.6, 8.9, 12.0) can have; other kernels have what needs no asking.</summary>
    private const int MostShared = 99 * 1024, SharedUnasked = 48 * 1024;

    [Test]
    public void KernelsAreOfInstructionsThatHaveOneResult()
    {
        var faults = new List<string>();
        foreach (GpuProgram program in Written())
        {
            GpuProgramText text = program.Write();
            try
            {
                // The machine knows each instruction, and arithmetic with its rounding only.
                _ = new PtxMachine(new PtxProgram(program.Name, text.Ptx, text.Threads, text.DynamicSharedBytes, 0));
            }
            catch (NotSupportedException e)
            {
                faults.Add($"{program}: {e.Message}");
            }

            if (Unwanted().IsMatch(text.Ptx) || (IsForAll(text) && NeedsTensorCores().IsMatch(text.Ptx)))
            {
                faults.Add($"{program}: {Unwanted().Match(text.Ptx)} {NeedsTensorCores().Match(text.Ptx)}");
            }

            // Flash attention has one tile for all devices; products in a tile that does not fit are not chosen, and what goes by warpgroups is of one capability, which the lint asks.
            if (!OfOneCapability().IsMatch(program.Name) && text.DynamicSharedBytes > (IsForAll(text) ? SharedUnasked : MostShared))
            {
                faults.Add($"{program}: {text.DynamicSharedBytes} bytes of shared memory");
            }

            faults.AddRange(PtxLint.Check(text.Ptx, text.Threads, text.DynamicSharedBytes).Faults.Select(fault => $"{program}: {fault}"));
        }

        Assert.That(faults, Is.Empty);
    }

    [Test]
    public void WhatIsCompiledIsOfKnownInstructions()
    {
        using var programs = new GpuPrograms(typeof(OpCases).Assembly);
        GpuProgram[] works = [.. programs.Sample.Where(program => program.Group.StartsWith("works", StringComparison.Ordinal))];
        Assert.That(works, Has.Length.GreaterThan(20));
        Assert.That(works.SelectMany(work => PtxLint.Check(work.Write().Ptx).Faults.Select(fault => $"{work}: {fault}")), Is.Empty);
    }

    [Test]
    public void NamesAreOneProgramsOwnAndCanBeFiles()
    {
        using var programs = new GpuPrograms(typeof(OpCases).Assembly);
        string[] names = [.. programs.All.Select(program => program.Name)];
        Assert.That(names, Has.Length.GreaterThan(2000).And.Unique);
        Assert.That(names.Select(name => name.ToLowerInvariant()), Is.Unique);
        Assert.That(names.Where(name => !FileName().IsMatch(name)), Is.Empty);
    }

    internal static IEnumerable<GpuProgram> Written() => AttentionPrograms.All.Concat(ProductPrograms.All).Concat(GatedPrograms.Of(typeof(OpCases).Assembly)).Concat(RotatedPrograms.All).Concat(RowSumPrograms.All);

    private static bool IsForAll(GpuProgramText program) => program.Ptx.Contains(".target sm_60", StringComparison.Ordinal);

    [GeneratedRegex(@"\.local|\.extern \.func|\bcall\b")]
    private static partial Regex Unwanted();

    [GeneratedRegex(@"\b(mma|ldmatrix|cp\.async)\b")]
    private static partial Regex NeedsTensorCores();

    [GeneratedRegex("^(mma|wgmma|flash-hopper)")]
    private static partial Regex OfOneCapability();

    [GeneratedRegex(@"^[\w.-]{3,250}$")]
    private static partial Regex FileName();
}
