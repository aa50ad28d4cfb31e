//! The catalog as its objects tell it.

use shared::{
    catalog::{Catalog, CatalogError},
    moqt::{Location, Object, Status},
};

/// Puts a catalog together from its groups: object 0 is whole, later ones change it.
#[derive(Debug, Default)]
pub(super) struct Reader {
    catalog: Option<Catalog>,
    last: Option<Location>,
}

impl Reader {
    /// Takes an object of the catalog track. The catalog, where it is new or has changed.
    ///
    /// # Errors
    /// [`CatalogError`] where it is none. A catalog that was there before stays.
    pub(super) fn push(&mut self, object: &Object) -> Result<Option<&Catalog>, CatalogError> {
        let location = object.location();
        if object.status != Status::Normal || self.last.is_some_and(|last| location <= last) {
            return Ok(None);
        }
        if location.object.0 == 0 {
            self.catalog = Some(Catalog::parse(&object.payload)?);
        } else {
            let follows = self
                .last
                .is_some_and(|last| last.group == location.group && last.object.0 + 1 == location.object.0);
            match &mut self.catalog {
                Some(catalog) if follows => catalog.apply(&object.payload)?,
                // A change of something that is not known: the next whole catalog tells.
                _ => return Ok(None),
            }
        }
        self.last = Some(location);
        Ok(self.catalog.as_ref())
    }

    /// The catalog as it stands.
    pub(super) fn catalog(&self) -> Option<&Catalog> {
        self.catalog.as_ref()
    }
}
