//! Product cards for live selling.

use shared::room::{
    Delta, Refusal, Wall,
    products::{
        Act, Card, MAX_PRICE_CHARS, MAX_PRODUCTS, MAX_TITLE_CHARS, MAX_URL_CHARS, Pin, Product, ProductId,
    },
    text,
};
use url::Url;

use super::feed::Feeds;

/// Changes the cards; `new` is the number of one that is added. Gives what was done, in words.
pub(super) fn act(now: Wall, act: Act, new: ProductId, feeds: &mut Feeds) -> Result<String, Refusal> {
    let mut products = feeds.state().products.clone();
    let pin = feeds.state().pin;
    match act {
        Act::Add(card) => {
            if products.len() >= MAX_PRODUCTS {
                return Err(Refusal::Full { max: MAX_PRODUCTS });
            }
            let card = checked(&card)?;
            let detail = format!("add {}", card.title);
            products.push(Product { product: new, card });
            feeds.tell(now, Delta::Products(products));
            Ok(detail)
        }
        Act::Edit(edited) => {
            let known = products.iter_mut().find(|known| known.product == edited.product);
            let known = known.ok_or(Refusal::Unknown)?;
            known.card = checked(&edited.card)?;
            let detail = format!("edit {}", known.card.title);
            feeds.tell(now, Delta::Products(products));
            Ok(detail)
        }
        Act::Remove { product } => {
            let at = products.iter().position(|known| known.product == product).ok_or(Refusal::Unknown)?;
            let gone = products.remove(at);
            if pin.is_some_and(|pin| pin.product == product) {
                feeds.tell(now, Delta::Pin(None));
            }
            feeds.tell(now, Delta::Products(products));
            Ok(format!("remove {}", gone.card.title))
        }
        Act::Reorder { products: order } => {
            // Those that are not named, such as one that was added just now, stay behind.
            let place = |product: &Product| order.iter().position(|id| *id == product.product);
            if order.len() > MAX_PRODUCTS {
                return Err(Refusal::Full { max: MAX_PRODUCTS });
            }
            products.sort_by_key(|product| place(product).unwrap_or(usize::MAX));
            feeds.tell(now, Delta::Products(products));
            Ok("reorder".to_owned())
        }
        Act::Pin(Pin { product, media }) => {
            let known = products.iter().find(|known| known.product == product).ok_or(Refusal::Unknown)?;
            let detail = format!("pin {}", known.card.title);
            feeds.tell(now, Delta::Pin(Some(Pin { product, media })));
            Ok(detail)
        }
        Act::Unpin => {
            pin.ok_or(Refusal::Again)?;
            feeds.tell(now, Delta::Pin(None));
            Ok("unpin".to_owned())
        }
    }
}

/// A card with clean text and addresses that only lead to the web.
fn checked(card: &Card) -> Result<Card, Refusal> {
    Ok(Card {
        title: text::clean(&card.title, MAX_TITLE_CHARS)?,
        price: text::clean(&card.price, MAX_PRICE_CHARS)?,
        link: address(&card.link)?,
        picture: card.picture.as_deref().map(address).transpose()?,
    })
}

/// An http or https address, as it is followed: what a browser would read otherwise is written out.
fn address(text: &str) -> Result<String, Refusal> {
    if text.chars().count() > MAX_URL_CHARS {
        return Err(Refusal::TooLong { max: MAX_URL_CHARS });
    }
    let url = Url::parse(text.trim()).map_err(|_| Refusal::BadLink)?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_plain = url.username().is_empty() && url.password().is_none();
    let url = String::from(url);
    if is_web && is_plain && url.len() <= 2 * MAX_URL_CHARS { Ok(url) } else { Err(Refusal::BadLink) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(link: &str) -> Card {
        Card { title: "Teapot".to_owned(), price: "¥ 99".to_owned(), link: link.to_owned(), picture: None }
    }

    fn shop(number: u64) -> Feeds {
        let mut feeds = Feeds::default();
        for id in 1..=number {
            act(Wall(id), Act::Add(card("https://shop.example/teapot")), ProductId(id), &mut feeds)
                .expect("added");
        }
        feeds
    }

    #[test]
    fn a_link_that_is_not_http_or_https_is_refused() {
        for link in [
            "javascript:alert(1)",
            " JavaScript:alert(1)",
            "data:text/html,<script>",
            "ftp://a.example",
            "file:///etc/passwd",
            "//a.example",
            "a.example",
            "https://",
            "https://user:secret@a.example",
            "",
        ] {
            let refused = act(Wall(1), Act::Add(card(link)), ProductId(1), &mut Feeds::default());
            assert_eq!(refused, Err(Refusal::BadLink), "{link}");
            let picture = Card { picture: Some(link.to_owned()), ..card("https://a.example") };
            let refused = act(Wall(1), Act::Add(picture), ProductId(1), &mut Feeds::default());
            assert_eq!(refused, Err(Refusal::BadLink), "{link}");
        }
        let quoted = act(
            Wall(1),
            Act::Add(card("https://a.example/\"><script>")),
            ProductId(1),
            &mut Feeds::default(),
        );
        assert!(quoted.is_ok());
        assert_eq!(address("https://a.example/\"><b>").as_deref(), Ok("https://a.example/%22%3E%3Cb%3E"));
    }

    #[test]
    fn cards_are_reordered_pinned_and_removed_with_their_pin() {
        let mut feeds = shop(3);
        let ids = |feeds: &Feeds| feeds.state().products.iter().map(|one| one.product.0).collect::<Vec<_>>();
        let order = vec![ProductId(3), ProductId(1), ProductId(77)];
        act(Wall(5), Act::Reorder { products: order }, ProductId(9), &mut feeds).expect("reordered");
        assert_eq!(ids(&feeds), [3, 1, 2]);
        let pin = Pin { product: ProductId(1), media: None };
        act(Wall(5), Act::Pin(pin), ProductId(9), &mut feeds).expect("pinned");
        assert_eq!(feeds.state().pin, Some(pin));
        act(Wall(5), Act::Remove { product: ProductId(1) }, ProductId(9), &mut feeds).expect("removed");
        assert_eq!((ids(&feeds), feeds.state().pin), (vec![3, 2], None));
        let again = act(Wall(5), Act::Pin(pin), ProductId(9), &mut feeds);
        assert_eq!(again, Err(Refusal::Unknown));
        assert_eq!(act(Wall(5), Act::Unpin, ProductId(9), &mut feeds), Err(Refusal::Again));
    }

    #[test]
    fn products_are_bounded() {
        let mut feeds = shop(MAX_PRODUCTS as u64);
        let more = act(Wall(1), Act::Add(card("https://a.example")), ProductId(999), &mut feeds);
        assert_eq!(more, Err(Refusal::Full { max: MAX_PRODUCTS }));
    }
}
