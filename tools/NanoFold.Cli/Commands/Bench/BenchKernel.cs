using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Cli.Commands.Bench;

/// <summary><c>bench kernel</c>: for the one who changes a kernel; right first, then how fast, then against how fast it was.</summary>
internal static class BenchKernel
{
    private const string Verb = "bench kernel";

    private static readonly string[] s_isas = IsaNames.UpTo(Isa.Vector512);

    public static void Build(VerbCommand command)
    {
        var name = new Argument<string?>("NAME")
        {
            Description = "A case, the first words of some (linear, 'linear small'), or a pattern with * and ?",
            Arity = ArgumentArity.ZeroOrOne,
        };
        command.Add(name);
        Option<bool> list = command.Flag("--list", "Only list the names of the cases");
        Option<bool> tests = command.Flag("--tests", "With the small cases that the tests check; a full name needs no flag");
        Option<bool> check = command.Flag("--check", "Only check that results are right");
        Option<long?> samples = command.Integer("--samples", "Timings of each pass; about three seconds of them if not given", KernelTiming.FewestSamples, 1_000_000);
        Option<string?> isa = command.Text("--isa", string.Join('|', s_isas), "Instruction set; any runs anywhere, emulated if need be; the machine's best if not given");
        Option<string?> save = command.Text("--save", "FILE", "Write the timings to a file, as JSON; to a file of this build they are added, as another session");
        Option<string?> against = command.Text("--against", "FILE", "Compare with the timings that --save wrote, of as many sessions as both builds have; run the two builds in turn, three times or more");
        Option<bool> force = command.Flag("--force", "Compare with timings of another processor, path or number of threads too");
        Option<bool> disassemble = command.Flag("--disassemble", "Only print the machine code of the kernels that the cases run, and what their loops consist of");
        Option<string?> method = command.Text("--method", "PATTERN", "With --disassemble: only methods of such a name, as in '*Tile6x2*'");
        command.Common = [CommonOptions.Threads];
        command.JsonKeys =
            "cases [{name, phase (forward, backward), ms (median of a call), low, high (of its 95 % interval), gflops, gbps, rooflineShare (the time that "
            + "this machine's rate of matrix products or of copies of as many bytes would allow / ms), reference (naive: float64 code of its own; float64: the op in "
            + "that type), error (of the output or of a gradient / the largest magnitude), tolerance, against {ratio (of medians, now / then), low, high, machine (the ratio of fixed work timed in between), sessions (of each build; from three on the interval is of their own spread), verdict (faster, slower, no difference)} or null}], isa, threads, "
            + "processor; with --list names; with --check cases without timings; with --disassemble methods [{name, bytes, loops [{label, instructions, fma, loads, stores}]}]";
        command.Does(invocation =>
        {
            if (invocation.Device is Devices.Cuda or Devices.OpenCl)
            {
                throw UserException.Usage($"bench kernel times kernels of the CPU; profile --device {invocation.Device} has those of a GPU");
            }

            string? wanted = invocation.Get(name) ?? (invocation.Get(list) ? "*" : null);
            OpCase[] cases = KernelNames.Select(Verb, wanted, invocation.Get(tests));
            if (invocation.Get(list))
            {
                return List(invocation.Output, cases);
            }

            Isa path = ParseIsa(invocation.Get(isa));
            if (invocation.Get(disassemble))
            {
                string[] with = [.. invocation.Get(tests) ? [tests.Name] : (string[])[], isa.Name, IsaNames.Of(path)];
                return Disassembly.Print(invocation.Output, ["bench", command.Name, wanted!, check.Name, CommonOptions.Threads, "1", .. with], invocation.Get(method) ?? "*");
            }

            // What may be wrong with a file is said before anything takes time.
            string machine = path.Name();
            string? target = invocation.Get(save);
            if (target is not null)
            {
                if (invocation.Get(check))
                {
                    throw UserException.Usage($"{check.Name} times nothing, so that {save.Name} has nothing to write");
                }

                OutputFile.Require(target, save.Name);
            }

            KernelBaseline? then = invocation.Get(against) is { } file ? Baseline(file, machine, invocation.Threads, invocation.Get(force)) : null;
            KernelBaseline own = Kept(target, machine, invocation.Threads, invocation.Output);
            using var backend = new CpuBackend(invocation.Threads, path);
            KernelCheck[] checks = Check(invocation.Output, cases, backend);
            var report = new KernelReport(own);
            if (invocation.Get(check))
            {
                report.AddChecks(cases, checks);
            }
            else
            {
                Time(report, cases, checks, backend, (int?)invocation.Get(samples), then);
                report.Save(target);
            }

            report.Write(invocation.Output);
            return Faults.Done;
        });
    }

    private static int List(Output output, OpCase[] cases)
    {
        foreach (OpCase opCase in cases)
        {
            output.Text.WriteLine(opCase.Name);
        }

        output.Result(new JsonObject { ["names"] = new JsonArray([.. cases.Select(c => (JsonNode)c.Name)]) });
        return Faults.Done;
    }

    private static Isa ParseIsa(string? name)
        => name is null ? IsaExtensions.Best : IsaNames.Find(name) ?? throw UserException.Usage($"--isa {name}: expected one of {string.Join(", ", s_isas)}");

    private static KernelBaseline Baseline(string path, string isa, int threads, bool force)
    {
        KernelBaseline baseline = KernelBaseline.Read(path);
        KernelBaseline now = new(isa, threads, Processor.Name(), []);
        return force || baseline.Machine == now.Machine
            ? baseline
            : throw new UserException($"{path}: was taken on {baseline.Machine}, and this is {now.Machine}; --force compares all the same");
    }

    // The sessions that the file to be written has already; others' are not mixed with this build's.
    private static KernelBaseline Kept(string? path, string isa, int threads, Output output)
    {
        KernelBaseline none = new(isa, threads, Processor.Name(), []) { Build = KernelBaseline.ThisBuild };
        if (path is null || !File.Exists(path) || new FileInfo(path).Length == 0)
        {
            return none;
        }

        KernelBaseline kept = KernelBaseline.Read(path);
        if (kept.Build == none.Build && kept.Machine == none.Machine)
        {
            return kept;
        }

        output.Note($"{path}: is of another build or machine; begun anew");
        return none;
    }

    // All of them before the first is timed: what is wrong has no speed.
    private static KernelCheck[] Check(Output output, OpCase[] cases, Backend backend)
    {
        KernelCheck[] checks = [.. cases.Select(c => KernelCheck.Of(c, backend))];
        foreach ((OpCase wrong, KernelCheck check) in cases.Zip(checks).Where(pair => !pair.Second.Passes))
        {
            output.Note($"{wrong.Name}: output off by {check.Error:g3} of at most {check.Tolerance:g3}, gradients by {check.GradientError ?? 0:g3} of at most {check.GradientTolerance:g3}");
        }

        int failures = checks.Count(c => !c.Passes);
        return failures == 0
            ? checks
            : throw new UserException($"{Verb}: {failures} of {Display.Count(cases.Length, "case")} wrong, nothing was timed");
    }

    private static void Time(KernelReport report, OpCase[] cases, KernelCheck[] checks, CpuBackend backend, int? samples, KernelBaseline? then)
    {
        // The machine's roof, whichever path is timed.
        using CpuBackend? best = backend.Context.Isa == IsaExtensions.Best ? null : new CpuBackend(backend.Context.Workers.Count);
        var roof = new KernelRoof(best ?? backend);
        for (int i = 0; i < cases.Length; i++)
        {
            using var runner = new OpRunner(cases[i], backend);
            KernelTiming timing = KernelTiming.Measure(runner, samples);
            report.Add(runner, timing, checks[i], roof, then);
        }
    }
}
