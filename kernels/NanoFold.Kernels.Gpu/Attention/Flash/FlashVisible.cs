using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>
/// <see cref="VisibleRule"/> as PTX: its bounds, word by word, of registers. A causal kernel is spared the prefix. Documents come on top: the stretch
/// within reach of a block, which <see cref="DocumentReach"/> left, bounds what the block goes through.
/// </summary>
internal sealed class FlashVisible
{
    private readonly PtxWriter _w;
    private readonly Reg _batch, _window, _sinks;
    private readonly Reg? _prefix;

    public FlashVisible(PtxWriter w, bool hasPrefix, Reg batch)
    {
        _w = w;
        _batch = batch;
        Time = Argument(nameof(FlashArguments.Time));
        Keys = Argument(nameof(FlashArguments.Keys));
        Shift = Argument(nameof(FlashArguments.Shift));
        _window = Argument(nameof(FlashArguments.Window));
        _sinks = Argument(nameof(FlashArguments.Sinks));
        if (!hasPrefix)
        {
            return;
        }

        // One for all rows, or each row's own. Keys that are not there must not be seen.
        Reg prefix = w.New(RegKind.B32), isData = w.New(RegKind.Predicate), address = FlashArguments.Read(w, RegKind.B64, nameof(FlashArguments.Prefixes));
        w.Set(prefix, Argument(nameof(FlashArguments.Prefix)));
        w.Emit($"setp.ne.s64 {isData}, {address}, 0");
        Reg own = w.MadWide(batch, 4, address);
        using (w.When(isData))
        {
            w.Emit($"ld.global.b32 {prefix}, [{own}]");
        }

        _prefix = w.Max(w.Min(prefix, Keys), 0);
    }

    public Reg Time { get; }

    public Reg Keys { get; }

    /// <summary>Position of query 0.</summary>
    public Reg Shift { get; }

    /// <summary>See <see cref="VisibleRule.SinkEnd"/>.</summary>
    public Reg SinkEnd(Reg position) => _w.Min(_sinks, InOrder(position));

    /// <summary>See <see cref="VisibleRule.Start"/>.</summary>
    public Reg Start(Reg position) => _w.Add(_w.Sub(position, _window), 1);

    /// <summary>See <see cref="VisibleRule.End"/>, cut to the keys that there are.</summary>
    public Reg End(Reg position)
    {
        Reg end = InOrder(position);
        return _w.Min(_prefix is null ? end : _w.Min(end, _w.Add(position, _window)), Keys);
    }

    /// <summary>See <see cref="VisibleRule.QueryStart"/>.</summary>
    public Reg QueryStart(Reg key)
    {
        if (_prefix is not { } prefix)
        {
            return key;
        }

        Reg ahead = _w.Select(_w.Compare("lt", key, _sinks), -VisibleRule.Far, Start(key));
        return _w.Select(_w.Compare("ge", key, prefix), key, ahead);
    }

    /// <summary>See <see cref="VisibleRule.QueryEnd"/>.</summary>
    public Reg QueryEnd(Reg key) => _w.Select(_w.Compare("lt", key, _sinks), VisibleRule.Far, _w.Add(key, _window));

    /// <summary>Queries of which one may see one of a block's keys: the first one, in whole blocks of queries, and one after the last.</summary>
    /// <param name="firstKey">Of the block.</param>
    /// <param name="keys">That it has.</param>
    /// <param name="queries">Of a block of queries, a power of two.</param>
    /// <param name="documents">Whether documents are compared.</param>
    public (Reg Start, Reg End) Queries(Reg firstKey, int keys, int queries, bool documents)
    {
        Reg lastKey = _w.Add(firstKey, keys - 1);
        Reg start = _w.Sub(QueryStart(firstKey), Shift), end = _w.Min(_w.Sub(_w.Select(AreSinks(firstKey), VisibleRule.Far, QueryEnd(lastKey)), Shift), Time);
        if (documents)
        {
            start = _w.Max(start, _w.Sub(Low(firstKey), Shift));
            end = _w.Min(end, _w.Sub(High(lastKey), Shift));
        }

        return (_w.And(_w.Max(start, 0), -queries), end);
    }

    /// <summary>Whether keys up to this one are sinks.</summary>
    public Reg AreSinks(Reg lastKey) => _w.Compare("lt", lastKey, _sinks);

    /// <summary>First token within reach of the documents of one at a position, and one after the last token.</summary>
    public Reg Low(Reg position) => Reach(position, 2);

    public Reg High(Reg position) => Reach(position, 3);

    /// <summary>Document of a token, or of the last one where it is not there.</summary>
    public Reg Document(Reg position, int offset)
    {
        Reg token = _w.Mad(_batch, Keys, _w.Min(_w.Add(position, offset), _w.Sub(Keys, 1)));
        return _w.LoadGlobal(RegKind.B32, _w.MadWide(token, 4, FlashArguments.Read(_w, RegKind.B64, nameof(FlashArguments.Documents))));
    }

    private Reg InOrder(Reg position)
    {
        Reg end = _w.Add(position, 1);
        return _prefix is { } prefix ? _w.Max(end, prefix) : end;
    }

    private Reg Reach(Reg position, int number)
    {
        Reg unit = _w.Div(_w.Min(position, _w.Sub(Keys, 1)), _w.Const(DocumentReach.Unit));
        Reg at = _w.Mad(_w.Mad(_batch, Argument(nameof(FlashArguments.ReachUnits)), unit), DocumentReach.Numbers, _w.Const(number));
        return _w.LoadGlobal(RegKind.B32, _w.MadWide(at, 4, FlashArguments.Read(_w, RegKind.B64, nameof(FlashArguments.Reach))));
    }

    private Reg Argument(string field) => FlashArguments.Read(_w, field);
}
