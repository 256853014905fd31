namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>A program of CUDA devices as the backend asks the driver for it: PTX, written when it is asked for.</summary>
public sealed class GpuProgram
{
    private readonly Func<GpuProgramText> _write;

    internal GpuProgram(string name, string group, Func<GpuProgramText> write) => (Name, Group, _write) = (name, group, write);

    /// <summary>Its own, of letters, digits, points and hyphens: a file can be called so.</summary>
    public string Name { get; }

    /// <summary>What it has in common with others: what it computes, its tile, how its operands lie.</summary>
    public string Group { get; }

    public GpuProgramText Write() => _write();

    public override string ToString() => Name;
}

/// <summary>A program's text and how it is launched.</summary>
/// <param name="Ptx">The text.</param>
/// <param name="Threads">Of a block; 0 where that is up to the launch.</param>
/// <param name="DynamicSharedBytes">Of shared memory, asked for at the launch.</param>
public sealed record GpuProgramText(string Ptx, int Threads, int DynamicSharedBytes);
