using System.Text;
using System.Text.RegularExpressions;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>
/// A kernel with barriers as a processor runs it best: a group is one thread of the device, which runs the kernel's threads in loops. From where it begins, and from each barrier on, there is
/// a loop over all threads to the next barrier; variables that a thread still needs after it are kept in arrays. All threads of a group come to the same barriers, so the last one
/// says which loop is next.
/// </summary>
/// <remarks>
/// Drivers for processors make such loops themselves. PoCL's (3.1) are wrong where a barrier is in a branch, though all threads take it; they write three copies
/// of a kernel, and take many times as long to compile.
/// </remarks>
internal sealed partial class ThreadLoops
{
    // The macro that has the number of a group's threads.
    private const string Threads = "NF_THREADS";

    private readonly KernelText _kernel;
    private readonly HashSet<string>[] _needed;
    private readonly HashSet<string> _shared;
    private readonly HashSet<string> _kept = [];

    private ThreadLoops(KernelText kernel)
    {
        _kernel = kernel;
        _shared = SharedBy(kernel);
        _needed = Needed(kernel);
    }

    public static bool HasBarrier(string source) => source.Contains("work_group_barrier", StringComparison.Ordinal);

    public static string Rewrite(string source) => new ThreadLoops(KernelText.Parse(source)).Write();

    /// <summary>Whether a source was written here.</summary>
    public static bool IsIn(string source) => source.Contains(Threads, StringComparison.Ordinal);

    /// <summary>For groups of so many threads.</summary>
    public static string WithThreads(string source, int threads) => $"#define {Threads} {threads}\n{source}";

    private string Write()
    {
        var loops = new StringBuilder();
        foreach (int entry in _kernel.Pieces.Select(p => p.AfterBarrier).OfType<int>().Prepend(0))
        {
            WriteLoop(loops, entry);
        }

        var made = new StringBuilder(_kernel.Head.Replace("kernel void", "__attribute__((reqd_work_group_size(1, 1, 1)))\nkernel void", StringComparison.Ordinal)).Append('\n');
        foreach ((string name, string type) in _kernel.Declared)
        {
            made.Append($"\t{type} {name};\n");
        }

        foreach (string name in _kept.Order(StringComparer.Ordinal))
        {
            made.Append($"\t{_kernel.Declared[name]} nf_{name}[{Threads}];\n");
        }

        foreach (string statement in _kernel.Start)
        {
            made.Append($"\t{statement}\n");
        }

        return made.Append("\tint nf_next = 0;\n\twhile (nf_next >= 0)\n\tswitch (nf_next)\n\t{\n").Append(loops).Append("\t}\n}\n").ToString();
    }

    /// <summary>The threads, one after the other, from a piece to the next barriers or to the end.</summary>
    private void WriteLoop(StringBuilder to, int entry)
    {
        List<int> reached = Reached(entry);
        HashSet<string> set = [.. reached.SelectMany(p => _kernel.Pieces[p].Sets)];
        set.ExceptWith(_shared);
        HashSet<string> read = [.. reached.SelectMany(p => _kernel.Pieces[p].Reads)];
        to.Append($"\tcase {entry}:\n\tfor (int nf_thread = 0; nf_thread < {Threads}; nf_thread++)\n\t{{\n");
        foreach (string name in _needed[entry].Where(n => !_shared.Contains(n) && (set.Contains(n) || read.Contains(n))).Order(StringComparer.Ordinal))
        {
            _kept.Add(name);
            to.Append($"\t{name} = nf_{name}[nf_thread];\n");
        }

        foreach (int index in reached)
        {
            KernelPiece piece = _kernel.Pieces[index];
            to.Append($"\tP{index}_{entry}: ;\n");
            foreach (KernelStatement statement in piece.Statements)
            {
                to.Append($"\t{OwnThread(statement.Text)}\n");
            }

            if (piece.AfterBarrier is { } after)
            {
                foreach (string name in _needed[after].Where(set.Contains).Order(StringComparer.Ordinal))
                {
                    _kept.Add(name);
                    to.Append($"\tnf_{name}[nf_thread] = {name};\n");
                }
            }

            to.Append(piece.Condition is null ? "" : $"\tif ({piece.Condition})\n\t goto P{piece.Next[0]}_{entry};\n");
            to.Append(piece.Next.Count > 0 ? $"\tgoto P{piece.Next[^1]}_{entry};\n" : $"\tnf_next = {piece.AfterBarrier ?? -1};\n\tgoto E_{entry};\n");
        }

        to.Append($"\tE_{entry}: ;\n\t}}\n\tbreak;\n");
    }

    /// <summary>The pieces from one to the next barriers.</summary>
    private List<int> Reached(int entry)
    {
        List<int> reached = [entry];
        for (int i = 0; i < reached.Count; i++)
        {
            reached.AddRange(_kernel.Pieces[reached[i]].Next.Where(n => !reached.Contains(n)).Distinct());
        }

        return reached;
    }

    private static string OwnThread(string statement)
        => statement.Contains("get_local_", StringComparison.Ordinal) ? LocalSize().Replace(LocalId().Replace(statement, "nf_thread"), Threads) : statement;

    /// <summary>What is needed before each piece.</summary>
    private static HashSet<string>[] Needed(KernelText kernel)
    {
        HashSet<string>[] needed = [.. kernel.Pieces.Select(_ => new HashSet<string>())];
        for (bool changes = true; changes;)
        {
            changes = false;
            for (int i = needed.Length - 1; i >= 0; i--)
            {
                KernelPiece piece = kernel.Pieces[i];
                HashSet<string> before = [.. piece.Followers.SelectMany(f => needed[f])];
                before.ExceptWith(piece.Sets);
                before.UnionWith(piece.Reads.Where(kernel.Declared.ContainsKey));
                changes |= before.Count > needed[i].Count;
                needed[i] = before;
            }
        }

        return needed;
    }

    /// <summary>Variables with one value for all threads, whenever they are set: what is set once, from operands, the group's number and others of the kind.</summary>
    private static HashSet<string> SharedBy(KernelText kernel)
    {
        HashSet<string> shared = [.. kernel.Start.SelectMany(KernelText.Names)];
        KernelStatement[] set = [.. kernel.Pieces.SelectMany(p => p.Statements).Where(s => s.Target is not null)];
        HashSet<string> often = [.. set.GroupBy(s => s.Target!).Where(g => g.Count() > 1).Select(g => g.Key)];
        KernelStatement[] once = [.. set.Where(s => !often.Contains(s.Target!) && !OfAThread().IsMatch(s.Text))];
        for (bool changes = true; changes;)
        {
            changes = false;
            foreach (KernelStatement statement in once)
            {
                changes |= statement.Read.All(shared.Contains) && shared.Add(statement.Target!);
            }
        }

        return shared;
    }

    [GeneratedRegex(@"\bget_local_id\s*\(\s*0\s*\)")]
    private static partial Regex LocalId();

    [GeneratedRegex(@"\bget_local_size\s*\(\s*0\s*\)")]
    private static partial Regex LocalSize();

    // What differs between threads, or between one reading and the next.
    [GeneratedRegex(@"get_local_id|atomic|=\s*\*")]
    private static partial Regex OfAThread();
}
