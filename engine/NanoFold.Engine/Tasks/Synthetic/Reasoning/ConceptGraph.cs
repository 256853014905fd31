using System.Numerics;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// A random graph without circles: concepts 0 and 1 are two beginnings, the others hang by turns on a concept of the first one's side or of the second one's; further
/// statements join any two. A question asks for a concept that only 0 leads to, beside one that only 1 leads to. Statements go from a lower number to a higher one.
/// </summary>
/// <param name="concepts">How many, up to 64.</param>
/// <param name="parents">For each concept those of which it is said that they are it, as bits; memory for all.</param>
internal ref struct ConceptGraph(int concepts, Span<ulong> parents)
{
    /// <summary>The most concepts.</summary>
    public const int MostConcepts = 64;

    // Graphs that are tried before any question is good; in the second half, sides are not joined: then there is always one.
    private const int Tries = 32;

    private readonly Span<ulong> _parents = parents;

    /// <summary>The most statements that leave the two sides apart.</summary>
    public static int MostStatements(int concepts) => Pairs((concepts + 1) / 2) + Pairs(concepts / 2);

    /// <summary>The concepts of which it is said that they are this one, as bits.</summary>
    public readonly ulong ParentsOf(int concept) => _parents[concept];

    /// <summary>Draws a graph and a question for it: <c>path</c> gets the shortest way from 0 without it, the only one of its length; of two concepts the first is its end.</summary>
    /// <returns>How many steps the way has, and the concept that is not reached.</returns>
    public readonly (int Steps, int Other) Draw(ref RowDraws draws, int statements, int steps, Span<int> path)
    {
        Span<int> own = stackalloc int[concepts], others = stackalloc int[concepts];
        for (int round = 0; ; round++)
        {
            Build(ref draws, statements, joinsSides: round < Tries / 2);
            Measure(0, own);
            Measure(1, others);
            int target = Pick(ref draws, own, others, steps);
            for (int any = 1; target < 0 && round >= Tries && any < concepts; any++)
            {
                target = Pick(ref draws, own, others, any);
            }

            if (target < 0 || PickOther(ref draws, others, own, own[target]) is not (>= 0 and var other))
            {
                continue;
            }

            int taken = own[target];
            for (int step = taken, at = target; step > 0; step--)
            {
                path[step - 1] = at;
                at = NearestParent(at, own);
            }

            return (taken, other);
        }
    }

    private static int Pairs(int concepts) => concepts * (concepts - 1) / 2;

    private readonly void Build(ref RowDraws draws, int statements, bool joinsSides)
    {
        _parents.Clear();
        Span<int> depth = stackalloc int[concepts];
        for (int concept = 2; concept < concepts; concept++)
        {
            // The deeper of two on its side, for long ways; the lower numbers of a side are those of its parity.
            int side = concept % 2, a = side + (2 * draws.Below(concept / 2)), b = side + (2 * draws.Below(concept / 2));
            int parent = depth[a] >= depth[b] ? a : b;
            depth[concept] = depth[parent] + 1;
            _parents[concept] = 1UL << parent;
        }

        for (int made = concepts - 2; made < statements;)
        {
            int child = 2 + draws.Below(concepts - 2), parent = draws.Below(child);
            if ((joinsSides || (child - parent) % 2 == 0) && (_parents[child] >> parent & 1) == 0)
            {
                _parents[child] |= 1UL << parent;
                made++;
            }
        }
    }

    // Steps from a beginning; −1 where it does not lead.
    private readonly void Measure(int from, Span<int> steps)
    {
        for (int concept = 0; concept < concepts; concept++)
        {
            int nearest = concept == from ? -1 : NearestParent(concept, steps);
            steps[concept] = concept == from ? 0 : nearest < 0 ? -1 : steps[nearest] + 1;
        }
    }

    private readonly int NearestParent(int concept, ReadOnlySpan<int> steps)
    {
        int nearest = -1;
        for (ulong left = _parents[concept]; left != 0; left &= left - 1)
        {
            int parent = BitOperations.TrailingZeroCount(left);
            nearest = steps[parent] >= 0 && (nearest < 0 || steps[parent] < steps[nearest]) ? parent : nearest;
        }

        return nearest;
    }

    // One that is so many steps from its beginning on one way only, and not reached from the other; −1 where there is none.
    private readonly int Pick(ref RowDraws draws, ReadOnlySpan<int> own, ReadOnlySpan<int> others, int steps)
    {
        int found = -1, count = 0;
        for (int concept = 2; concept < concepts; concept++)
        {
            if (own[concept] == steps && others[concept] < 0 && IsOnlyWay(concept, own) && draws.Below(++count) == 0)
            {
                found = concept;
            }
        }

        return found;
    }

    // As far from its beginning, where there is one, otherwise any.
    private readonly int PickOther(ref RowDraws draws, ReadOnlySpan<int> own, ReadOnlySpan<int> others, int steps)
    {
        int found = -1, count = 0;
        bool isAsFar = false;
        for (int concept = 2; concept < concepts; concept++)
        {
            if (own[concept] < 0 || others[concept] >= 0 || (isAsFar && own[concept] != steps))
            {
                continue;
            }

            if (!isAsFar && own[concept] == steps)
            {
                (isAsFar, count) = (true, 0);
            }

            if (draws.Below(++count) == 0)
            {
                found = concept;
            }
        }

        return found;
    }

    private readonly bool IsOnlyWay(int concept, ReadOnlySpan<int> steps)
    {
        while (steps[concept] > 0)
        {
            int ways = 0;
            int nearest = NearestParent(concept, steps);
            for (ulong left = _parents[concept]; left != 0; left &= left - 1)
            {
                ways += steps[BitOperations.TrailingZeroCount(left)] == steps[nearest] ? 1 : 0;
            }

            if (ways > 1)
            {
                return false;
            }

            concept = nearest;
        }

        return true;
    }
}
