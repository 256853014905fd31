namespace NanoFold.Kernels.Gpu.Ptx.Lint;

/// <summary>What is known of a program by its text alone.</summary>
/// <param name="Target">As in <c>sm_80</c>.</param>
/// <param name="Declared">Registers that it declares.</param>
/// <param name="Live">32-bit registers that hold values at its fullest place, in the order in which it is written.</param>
/// <param name="MostRegisters">That a thread can have, by the threads and blocks it asks for.</param>
/// <param name="StaticSharedBytes">Of shared memory that it declares.</param>
/// <param name="MostThreads">Of a block, 0 where it is not said.</param>
/// <param name="LeastBlocks">Of a multiprocessor, 0 where it is not said.</param>
/// <param name="Faults">What is wrong with it.</param>
public sealed record PtxFindings(string Target, int Declared, int Live, int MostRegisters, int StaticSharedBytes, int MostThreads, int LeastBlocks, IReadOnlyList<string> Faults);
