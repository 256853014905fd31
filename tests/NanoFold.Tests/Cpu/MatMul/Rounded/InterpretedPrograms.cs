using NanoFold.Kernels.Cpu.MatMul.Rounded;
using NanoFold.Kernels.Cpu.Programs;
using NanoFold.Tests.Cpu.Programs;

namespace NanoFold.Tests.Cpu.MatMul.Rounded;

/// <summary>The programs for tiles, run by the interpreter: so that they are tested where the processor has no tiles.</summary>
internal readonly unsafe struct InterpretedTilePrograms : ITilePrograms
{
    public static void Run(int rows, bool narrow, TileArguments* arguments)
    {
        var interpreter = new Interpreter(MachineProgram.Code(w => TileProgram.Write(w, rows > TileProgram.Side ? 2 : 1, narrow ? 1 : 2)));
        interpreter.Run(arguments);
        Assert.That(interpreter.Tiles.IsConfigured, Is.False, "tiles are given back");
    }
}

/// <summary>The programs for vectors, run by the interpreter.</summary>
internal readonly unsafe struct InterpretedPairPrograms : ITilePrograms
{
    public static void Run(int rows, bool narrow, TileArguments* arguments)
        => new Interpreter(MachineProgram.Code(w => PairProgram.Write(w, narrow ? 1 : 2, VectorInstruction.DotPairs))).Run(arguments);
}
