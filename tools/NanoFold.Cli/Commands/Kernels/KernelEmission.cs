using System.Diagnostics;
using NanoFold.Engine;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Ops;
using NanoFold.Kernels.Gpu.Programs;

namespace NanoFold.Cli.Commands.Kernels;

/// <summary>Writes the programs, checks and assembles them, on all threads.</summary>
internal sealed class KernelEmission
{
    private const string Option = "--assemble", Folder = "--emit";

    private readonly Invocation _invocation;
    private readonly string? _target;
    private readonly string[] _architectures;
    private readonly string[] _only;
    private readonly bool _isSample;
    private readonly PtxAssembler? _assembler;

    public KernelEmission(Invocation invocation, string? target, string[] architectures, string[] only, bool isSample)
    {
        (_invocation, _target, _architectures, _only, _isSample) = (invocation, target, architectures, only, isSample);
        if (architectures.Length > 0)
        {
            _assembler = PtxAssembler.Find(out string? reason) ?? throw new UserException($"{Option}: {reason}");
            if (architectures.FirstOrDefault(a => !_assembler.Architectures.Contains(a)) is { } unknown)
            {
                string near = NearestName.Among(unknown, _assembler.Architectures) is { } name ? $"did you mean {name}?" : $"it knows {string.Join(", ", _assembler.Architectures)}";
                throw UserException.Usage($"{Option} {unknown}: ptxas {_assembler.Version} does not know it; {near}");
            }
        }

        if (target is not null && (File.Exists(target) || (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())))
        {
            throw new UserException($"{Folder} {target}: is there already and holds something; name another folder");
        }
    }

    public int Run()
    {
        long start = Stopwatch.GetTimestamp();
        using var programs = new GpuPrograms(typeof(OpCases).Assembly);
        GpuProgram[] chosen = [.. (_isSample ? programs.Sample : programs.All).Where(program => _only.All(text => program.Name.Contains(text, StringComparison.OrdinalIgnoreCase)))];
        if (chosen.Length == 0)
        {
            throw UserException.Usage($"--only {string.Join(',', _only)}: none of {Display.Count(programs.All.Count, "program")} has this in its name");
        }

        // Complete or absent: made beside under another name.
        string beside = _target is null
            ? Path.Combine(Path.GetTempPath(), $"nanofold-kernels-{Guid.NewGuid():N}")
            : $"{Path.TrimEndingDirectorySeparator(Path.GetFullPath(_target))}.partial-{Guid.NewGuid():N}";
        try
        {
            Directory.CreateDirectory(beside);
            ProgramRow[] rows = Rows(chosen, beside);
            IReadOnlyList<ProgramGroup> groups = ProgramGroup.Of(rows);
            if (_target is not null)
            {
                File.WriteAllText(Path.Combine(beside, "programs.tsv"), ProgramTable.Of(rows, _architectures));
                if (_assembler is not null)
                {
                    File.WriteAllText(Path.Combine(beside, "groups.tsv"), ProgramTable.Of(_assembler.Version, groups));
                }

                if (Directory.Exists(_target))
                {
                    Directory.Delete(_target);
                }

                Directory.Move(beside, _target);
            }

            return new KernelReport(_invocation.Output, rows, groups).Write(_target, _assembler?.Version, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        catch (Exception e) when (_target is not null && FileFault.Is(e))
        {
            throw FileFault.Describe("cannot write", _target, e);
        }
        finally
        {
            TakeBack(beside);
        }
    }

    private ProgramRow[] Rows(GpuProgram[] programs, string folder)
    {
        using var progress = new KernelProgress(_invocation.Output, programs.Length, _assembler is null ? "written" : "written and assembled");
        var rows = new ProgramRow[programs.Length];
        CancellationToken token = _invocation.Interrupt.Token;
        int next = -1;
        try
        {
            Parallel.For(0, Math.Min(_invocation.Threads, programs.Length), new ParallelOptions { CancellationToken = token, MaxDegreeOfParallelism = _invocation.Threads }, _ =>
            {
                for (int i = Interlocked.Increment(ref next); i < rows.Length && !token.IsCancellationRequested; i = Interlocked.Increment(ref next))
                {
                    rows[i] = ProgramRow.Write(programs[i], folder, _assembler, _architectures, token);
                    progress.Step();
                }
            });
        }
        catch (AggregateException e) when (e.InnerExceptions.All(inner => inner is OperationCanceledException))
        {
            throw new OperationCanceledException(token);
        }
        catch (AggregateException e) when (e.InnerExceptions.FirstOrDefault(FileFault.Is) is { } fault)
        {
            throw fault;
        }

        token.ThrowIfCancellationRequested();
        return rows;
    }

    private static void TakeBack(string folder)
    {
        try
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            // What went wrong before is the fault to report.
        }
    }
}
