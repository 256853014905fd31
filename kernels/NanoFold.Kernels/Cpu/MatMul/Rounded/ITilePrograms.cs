namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>Programs that multiply tiles, however they are run.</summary>
internal unsafe interface ITilePrograms
{
    /// <summary>That for panels of so many rows, and half as many columns where <paramref name="narrow"/>.</summary>
    static abstract void Run(int rows, bool narrow, TileArguments* arguments);
}
