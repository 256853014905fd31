namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>What an assembler made of a program.</summary>
/// <param name="Architecture">As in <c>sm_90a</c>.</param>
/// <param name="Registers">Of a thread.</param>
/// <param name="StoredBytes">Of a thread, that registers had no room for: written to local memory.</param>
/// <param name="LoadedBytes">Read from there.</param>
/// <param name="StackBytes">Of a thread's local memory in all.</param>
/// <param name="Remarks">Errors, warnings and what it says of performance.</param>
/// <param name="Error">Why there is no code, or null.</param>
public sealed record AssembledProgram(string Architecture, int Registers, int StoredBytes, int LoadedBytes, int StackBytes, IReadOnlyList<string> Remarks, string? Error);
