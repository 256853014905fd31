namespace NanoFold.Engine.Text;

/// <summary>Byte strings with a number each, by their beginnings.</summary>
internal sealed class ByteTrie
{
    private readonly Dictionary<int, int> _children = [];
    private readonly List<int> _values = [-1];
    private readonly int[] _roots = new int[256];

    /// <summary>The node of nothing.</summary>
    public const int Root = 0;

    /// <summary>Adds a string; of equal ones the last counts.</summary>
    public void Add(ReadOnlySpan<byte> key, int value)
    {
        int node = Root;
        foreach (byte part in key)
        {
            int child = Child(node, part);
            if (child < 0)
            {
                child = _values.Count;
                _values.Add(-1);
                if (node == Root)
                {
                    _roots[part] = child;
                }
                else
                {
                    _children[(node << 8) | part] = child;
                }
            }

            node = child;
        }

        _values[node] = value;
    }

    /// <summary>The node after one byte more, or −1.</summary>
    public int Child(int node, byte part) =>
        node == Root ? (_roots[part] == 0 ? -1 : _roots[part]) : _children.TryGetValue((node << 8) | part, out int child) ? child : -1;

    /// <summary>The number of the string that ends at a node, or −1.</summary>
    public int ValueAt(int node) => _values[node];

    /// <summary>Whether any string begins with a byte.</summary>
    public bool Begins(byte part) => _roots[part] != 0;

    /// <summary>The longest string at the start of a text: its number and its length, or −1.</summary>
    public int Longest(ReadOnlySpan<byte> text, out int length)
    {
        (int value, int node) = (-1, Root);
        length = 0;
        for (int at = 0; at < text.Length; at++)
        {
            node = Child(node, text[at]);
            if (node < 0)
            {
                break;
            }

            if (_values[node] >= 0)
            {
                value = _values[node];
                length = at + 1;
            }
        }

        return value;
    }

    /// <summary>Of the strings at the start of a text the one of the least number: its number and its length, or −1.</summary>
    public int Least(ReadOnlySpan<byte> text, out int length)
    {
        (int value, int node) = (-1, Root);
        length = 0;
        for (int at = 0; at < text.Length && (node = Child(node, text[at])) >= 0; at++)
        {
            if (_values[node] >= 0 && (value < 0 || _values[node] < value))
            {
                value = _values[node];
                length = at + 1;
            }
        }

        return value;
    }
}
