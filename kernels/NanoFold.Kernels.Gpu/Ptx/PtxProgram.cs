namespace NanoFold.Kernels.Gpu.Ptx;

/// <summary>
/// A kernel's text and how it is launched: <see cref="Threads"/> a block, <see cref="SharedBytes"/> of dynamic shared memory, and one parameter,
/// a block of <see cref="ParameterBytes"/> that is an unmanaged struct on the host.
/// </summary>
internal sealed record PtxProgram(string Name, string Text, int Threads, int SharedBytes, int ParameterBytes);
