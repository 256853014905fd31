using System.Diagnostics;
using System.Text.RegularExpressions;
using ILGPU.Runtime.Cuda;
using NanoFold.Kernels.Gpu.Cuda;
using NanoFold.Kernels.Gpu.Programs;
using NanoFold.Kernels.Gpu.Ptx.Lint;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>What a driver makes of the programs written as PTX: whether it takes them, and what it had no registers for.</summary>
public static partial class CardPrograms
{
    /// <summary>One program of each group, those of the newest instructions first, until the time is over.</summary>
    /// <param name="backend">Of a CUDA device; null: programs are only checked as text.</param>
    /// <param name="only">What a program must have in its name.</param>
    /// <param name="limit">After which none is begun.</param>
    public static IEnumerable<CardProgram> Load(GpuBackend? backend, string[] only, TimeSpan limit)
    {
        int architecture = backend is null ? int.MaxValue : CudaCheckDevice.Of(backend.Context);
        IEnumerable<GpuProgram> programs = ProductPrograms.All.Where(p => p.Name.StartsWith("wgmma", StringComparison.Ordinal)).Concat(AttentionPrograms.All).Concat(ProductPrograms.All)
            .DistinctBy(p => p.Group).Where(p => only.All(text => p.Name.Contains(text, StringComparison.OrdinalIgnoreCase)));
        long started = Stopwatch.GetTimestamp();
        foreach (GpuProgram program in programs.TakeWhile(_ => Stopwatch.GetElapsedTime(started) < limit))
        {
            string text = program.Write().Ptx;
            Match target = Target().Match(text);
            if (backend is null)
            {
                yield return new CardProgram(program.Name, 0, 0, "", PtxLint.Check(text).Faults.FirstOrDefault());
            }
            else if (target.Groups["only"].Length > 0 ? int.Parse(target.Groups["number"].ValueSpan) == architecture : int.Parse(target.Groups["number"].ValueSpan) <= architecture)
            {
                yield return Load(backend.Context, program.Name, text);
            }
        }
    }

    private static CardProgram Load(GpuContext context, string name, string text)
    {
        context.Accelerator.Bind();
        try
        {
            (nint module, string warnings) = CudaModule.Load(text, name);
            try
            {
                CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.GetModuleFunction(out nint function, module, Entry().Match(text).Groups["name"].Value));
                CompiledKernel made = CudaKernelInfo.Of(name, function);
                return new CardProgram(name, made.Registers, made.LocalBytes, warnings, null);
            }
            finally
            {
                _ = CudaAPI.CurrentAPI.DestroyModule(module);
            }
        }
        catch (Exception e) when (e is InvalidOperationException or CudaException)
        {
            return new CardProgram(name, 0, 0, "", e.Message.ReplaceLineEndings(" "));
        }
    }

    [GeneratedRegex(@"\.target sm_(?<number>\d+)(?<only>a?)")]
    private static partial Regex Target();

    [GeneratedRegex(@"\.visible \.entry (?<name>\w+)")]
    private static partial Regex Entry();
}

/// <summary>What a driver made of a program: registers and bytes of local memory of a thread, its assembler's warnings (C75xx), or why it made nothing.</summary>
public sealed record CardProgram(string Name, int Registers, int LocalBytes, string Warnings, string? Fault);
