using System.Globalization;
using System.Text;

namespace NanoFold.Kernels.Gpu.Ptx;

/// <summary>
/// Writes one PTX kernel. Registers declare themselves, loops are unrolled by C#, and an instruction without a method of its own is written as text:
/// <c>w.Emit($"shf.l.wrap.b32 {y}, {a}, {b}, 8")</c>. Arithmetic, memory and tensor-core instructions are extension methods
/// (<see cref="PtxArithmetic"/>, <see cref="PtxMemory"/>, <see cref="PtxTensor"/>). The compiler behind it renames and merges registers, so a fresh one a value costs nothing.
/// </summary>
/// <remarks>
/// A kernel has one parameter, a struct in which fields are read by their offset, and dynamic shared memory that begins at <see cref="SharedBase"/>.
/// Branches must be uniform within a warp (<see cref="When"/> predicates single instructions instead), so that tests can run the text too.
/// </remarks>
internal sealed class PtxWriter
{
    private readonly StringBuilder _body = new();
    private readonly int[] _counts = new int[Enum.GetValues<RegKind>().Length];
    private int _labels;
    private string _guard = "";
    private bool _hasWaited;

    /// <param name="name">Of the entry.</param>
    /// <param name="target">Compute capability the text asks for: 75, 80 (mma of bf16 and tf32, cp.async) or above; drivers compile it on to newer ones.</param>
    /// <param name="threads">Of a block.</param>
    /// <param name="parameterBytes">Size of the struct of arguments.</param>
    /// <param name="leastBlocks">Blocks that a multiprocessor must be able to hold: bounds the registers. 0: no bound.</param>
    public PtxWriter(string name, int target, int threads, int parameterBytes, int leastBlocks = 0)
    {
        Name = name;
        Target = target;
        Threads = threads;
        ParameterBytes = parameterBytes;
        LeastBlocks = leastBlocks;
    }

    public string Name { get; }

    public int Target { get; }

    public int Threads { get; }

    public int ParameterBytes { get; }

    public int LeastBlocks { get; }

    /// <summary>Of the struct of arguments: 64 where a tensor map is in it.</summary>
    public int ParameterAlign { get; init; } = 8;

    /// <summary>The text is for exactly <see cref="Target"/> (wgmma, setmaxnreg), not for later devices too.</summary>
    public bool IsForTargetOnly { get; init; }

    /// <summary>
    /// The kernel may be started while the one that was launched before it still runs: it waits for that one before it touches memory (<see cref="WaitForEarlier"/>), and says
    /// when the next may be started (<see cref="LetNextStart"/>). Compute capability 9.0 and above.
    /// </summary>
    public bool StartsEarly { get; init; }

    /// <summary>Blocks of a cluster, one after another along grid x: see <see cref="PtxClusters"/>. 1: there are none.</summary>
    public int Cluster { get; init; } = 1;

    /// <summary>For finding out why a kernel hangs: waits for barriers end after a while. Null: they wait for ever.</summary>
    public PtxWatch? Watch { get; init; }

    /// <summary>Address of dynamic shared memory, aligned to 1024 bytes.</summary>
    public Reg SharedBase()
    {
        Reg address = New(RegKind.B32);
        Emit($"mov.u32 {address}, smem");
        return address;
    }

    public Reg New(RegKind kind) => new(kind, _counts[(int)kind]++);

    public Reg[] New(RegKind kind, int count)
    {
        var regs = new Reg[count];
        for (int i = 0; i < count; i++)
        {
            regs[i] = New(kind);
        }

        return regs;
    }

    /// <summary>One instruction, without the semicolon, under the guard of <see cref="When"/>.</summary>
    public void Emit(string instruction) => _body.Append("    ").Append(_guard).Append(instruction).Append(";\n");

    public void Comment(string text) => _body.Append("    // ").Append(text).Append('\n');

    /// <summary>A result of kind <paramref name="kind"/>: <c>opcode result, operands</c>.</summary>
    public Reg Op(RegKind kind, string opcode, params ReadOnlySpan<Operand> operands)
    {
        Reg result = New(kind);
        _body.Append("    ").Append(_guard).Append(opcode).Append(' ').Append(result);
        foreach (Operand operand in operands)
        {
            _body.Append(", ").Append(operand);
        }

        _body.Append(";\n");
        return result;
    }

    /// <summary>Instructions inside run in threads where the predicate holds.</summary>
    public Guard When(Reg predicate) => new(this, $"@{predicate} ");

    public string NewLabel() => string.Create(CultureInfo.InvariantCulture, $"$L{_labels++}");

    public void Mark(string label) => _body.Append(label).Append(":\n");

    /// <summary>Goes to a label; with <see cref="When"/> around it only where the predicate holds, which must be all threads of a warp or none.</summary>
    public void Branch(string label) => Emit($"bra.uni {label}");

    public void Return() => Emit("ret");

    /// <summary>Before the first touch of memory: what was launched before is done. Written once, and only where the kernel <see cref="StartsEarly"/>.</summary>
    public void WaitForEarlier()
    {
        if (StartsEarly && !_hasWaited)
        {
            Emit("griddepcontrol.wait");
            _hasWaited = true;
        }
    }

    /// <summary>What is launched next may be started once all blocks have come here, and takes what room they leave.</summary>
    public void LetNextStart()
    {
        if (StartsEarly)
        {
            Emit("griddepcontrol.launch_dependents");
        }
    }

    public PtxProgram Finish(int sharedBytes)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $".version {(IsForTargetOnly ? "8.0" : Target >= 90 ? "7.8" : "7.0")}\n.target sm_{Target}{(IsForTargetOnly ? "a" : "")}\n.address_size 64\n");
        text.Append(".extern .shared .align 1024 .b8 smem[];\n");
        text.Append(CultureInfo.InvariantCulture, $".visible .entry {Name}(.param .align {ParameterAlign} .b8 arguments[{ParameterBytes}])\n.maxntid {Threads}, 1, 1\n");
        if (LeastBlocks > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $".minnctapersm {LeastBlocks}\n");
        }

        if (Cluster > 1)
        {
            text.Append(CultureInfo.InvariantCulture, $".reqnctapercluster {Cluster}, 1, 1\n");
        }

        text.Append("{\n");
        foreach (RegKind kind in Enum.GetValues<RegKind>())
        {
            if (_counts[(int)kind] > 0)
            {
                string type = kind == RegKind.Predicate ? "pred" : kind.ToString().ToLowerInvariant();
                text.Append(CultureInfo.InvariantCulture, $"    .reg .{type} {Reg.Prefix(kind)}<{_counts[(int)kind]}>;\n");
            }
        }

        text.Append(_body).Append("    ret;\n}\n");
        return new PtxProgram(Name, text.ToString(), Threads, sharedBytes, ParameterBytes) { IsForTargetOnly = IsForTargetOnly, StartsEarly = StartsEarly, Cluster = Cluster, Waits = Watch?.Waits ?? [] };
    }

    /// <summary>Ends a predicated stretch when disposed.</summary>
    internal readonly struct Guard : IDisposable
    {
        private readonly PtxWriter _writer;

        public Guard(PtxWriter writer, string prefix)
        {
            if (writer._guard.Length > 0)
            {
                throw new InvalidOperationException("ptx: a predicated stretch inside another");
            }

            _writer = writer;
            writer._guard = prefix;
        }

        public void Dispose() => _writer._guard = "";
    }
}

/// <summary>
/// A kernel's text and how it is launched: <see cref="Threads"/> a block, <see cref="SharedBytes"/> of dynamic shared memory, and one parameter,
/// a block of <see cref="ParameterBytes"/> that is an unmanaged struct on the host.
/// </summary>
internal sealed record PtxProgram(string Name, string Text, int Threads, int SharedBytes, int ParameterBytes)
{
    /// <summary>The text is for one compute capability, not for later ones too.</summary>
    public bool IsForTargetOnly { get; init; }

    /// <inheritdoc cref="PtxWriter.StartsEarly"/>
    public bool StartsEarly { get; init; }

    /// <summary>Blocks of a cluster; a launch has whole clusters along grid x.</summary>
    public int Cluster { get; init; } = 1;

    /// <summary>What its waits are for, where they are bounded: see <see cref="PtxWatch"/>.</summary>
    public IReadOnlyList<string> Waits { get; init; } = [];
}
