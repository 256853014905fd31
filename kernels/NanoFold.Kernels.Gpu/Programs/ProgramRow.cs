using NanoFold.Kernels.Gpu.Ptx.Lint;

namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>What is known of a program: how it is launched, what its text says, what an assembler makes of it.</summary>
/// <param name="Name">Of the program.</param>
/// <param name="Group">What it is counted with.</param>
/// <param name="File">Its text.</param>
/// <param name="DynamicSharedBytes">Of shared memory, asked for at its launch.</param>
/// <param name="Findings">By its text alone.</param>
/// <param name="Assembled">For each architecture that it can be assembled for.</param>
public sealed record ProgramRow(string Name, string Group, string File, int DynamicSharedBytes, PtxFindings Findings, IReadOnlyList<AssembledProgram> Assembled)
{
    /// <summary>Writes a program into a folder, reads what is there, and assembles it.</summary>
    /// <param name="program">The program.</param>
    /// <param name="folder">Where its file goes.</param>
    /// <param name="assembler">Null for none.</param>
    /// <param name="architectures">To assemble for.</param>
    /// <param name="cancellation">Ends it.</param>
    public static ProgramRow Write(GpuProgram program, string folder, PtxAssembler? assembler, IReadOnlyList<string> architectures, CancellationToken cancellation = default)
    {
        GpuProgramText text = program.Write();
        string file = $"{program.Name}.ptx", path = Path.Combine(folder, file);
        System.IO.File.WriteAllText(path, text.Ptx);
        PtxFindings findings = PtxLint.Check(text.Ptx, text.Threads, text.DynamicSharedBytes);
        AssembledProgram[] assembled =
        [
            .. architectures.Where(architecture => PtxAssembler.CanBe(findings.Target, architecture)).Select(architecture => assembler!.Assemble(path, architecture, cancellation: cancellation)),
        ];
        return new ProgramRow(program.Name, program.Group, file, text.DynamicSharedBytes, findings, assembled);
    }
}
