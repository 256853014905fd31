using System.Text.RegularExpressions;
using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Compilation;

/// <summary>Every kernel that is written as PTX, by its text.</summary>
public sealed partial class ProgramTests
{
    /// <summary>What a block of the smallest device with tensor cores (8.6, 8.9, 12.0) can have; other kernels have what needs no asking.</summary>
    private const int MostShared = 99 * 1024, SharedUnasked = 48 * 1024;

    [Test]
    public void KernelsAreOfInstructionsThatHaveOneResult()
    {
        var faults = new List<string>();
        int count = 0;
        foreach ((string name, PtxProgram program) in Programs.All)
        {
            count++;
            try
            {
                // The machine knows each instruction, and arithmetic with its rounding only.
                _ = new PtxMachine(program);
            }
            catch (NotSupportedException e)
            {
                faults.Add($"{name}: {e.Message}");
            }

            if (Unwanted().IsMatch(program.Text) || (IsForAll(program) && NeedsTensorCores().IsMatch(program.Text)))
            {
                faults.Add($"{name}: {Unwanted().Match(program.Text)} {NeedsTensorCores().Match(program.Text)}");
            }

            // Flash attention has one tile for all devices; products in a tile that does not fit are not chosen.
            if (!name.StartsWith("Mma", StringComparison.Ordinal) && program.SharedBytes > (IsForAll(program) ? SharedUnasked : MostShared))
            {
                faults.Add($"{name}: {program.SharedBytes} bytes of shared memory");
            }
        }

        Assert.That(faults, Is.Empty);
        Assert.That(count, Is.GreaterThan(500));
    }

    private static bool IsForAll(PtxProgram program) => program.Text.Contains(".target sm_60", StringComparison.Ordinal);

    [GeneratedRegex(@"\.local|\.extern \.func|\bcall\b")]
    private static partial Regex Unwanted();

    [GeneratedRegex(@"\b(mma|ldmatrix|cp\.async)\b")]
    private static partial Regex NeedsTensorCores();
}
