namespace NanoFold.Kernels.Profiling;

/// <summary>A kernel as a device's compiler made it.</summary>
/// <param name="Name">Of the source.</param>
/// <param name="Registers">A thread.</param>
/// <param name="LocalBytes">A thread, in slow local memory: spilled registers and indexed arrays.</param>
/// <param name="SharedBytes">A group, fixed when it was compiled.</param>
public sealed record CompiledKernel(string Name, int Registers, int LocalBytes, int SharedBytes);
