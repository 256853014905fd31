using NanoFold.Kernels;

namespace NanoFold.Engine.Autograd;

/// <summary>
/// Plans by key (shape, mode, taps). Beyond a capacity the least recently used one is dropped. All share one arena, so only one runs at a time,
/// and the values that one kept are gone after another has run.
/// </summary>
/// <param name="backend">Where they run.</param>
/// <param name="capacity">Plans that are held.</param>
/// <param name="arena">Memory shared with other plans too; null for its own.</param>
public sealed class PlanCache<TKey>(Backend backend, int capacity = 16, SharedArena? arena = null) : IDisposable
    where TKey : notnull
{
    private readonly LinkedList<(TKey Key, Plan Plan)> _recent = [];
    private readonly Dictionary<TKey, LinkedListNode<(TKey Key, Plan Plan)>> _plans = [];
    private readonly SharedArena _arena = arena ?? new SharedArena(backend);

    /// <summary>Bytes of the shared arena so far.</summary>
    public long ArenaBytes => _arena.Bytes;

    /// <summary>The plan of a key, made by <paramref name="make"/> where it is new, bound and ready to run.</summary>
    public Plan Get(TKey key, Func<TKey, Plan> make)
    {
        if (!_plans.TryGetValue(key, out LinkedListNode<(TKey Key, Plan Plan)>? node))
        {
            node = new LinkedListNode<(TKey, Plan)>((key, make(key)));
            _plans.Add(key, node);
            if (_plans.Count > capacity)
            {
                _plans.Remove(_recent.Last!.Value.Key);
                _recent.Last.Value.Plan.Dispose();
                _recent.RemoveLast();
            }
        }
        else
        {
            _recent.Remove(node);
        }

        _recent.AddFirst(node);
        Plan plan = node.Value.Plan;
        _arena.Bind(plan);
        return plan;
    }

    /// <summary>Forgets all plans: after taps or the trained set changed.</summary>
    public void Clear()
    {
        foreach ((_, Plan plan) in _recent)
        {
            plan.Dispose();
        }

        _plans.Clear();
        _recent.Clear();
    }

    public void Dispose()
    {
        Clear();
        if (arena is null)
        {
            _arena.Dispose();
        }
    }
}
